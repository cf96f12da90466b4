//! The labour platform's workbook of dispatch filings: a cover sheet, then the filings, every cell text.

use std::path::Path;

use anyhow::Context;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook};

use super::province::Province;
use super::rows::instant;

/// The sheet that holds the filings.
pub const SHEET: &str = "备案";

const HEADER: [&str; 9] = [
    "记录编号",
    "更新时间",
    "统一社会信用代码",
    "派遣单位名称",
    "许可证编号",
    "备案省份",
    "有效期起",
    "有效期止",
    "备案状态",
];

/// Writes `dispatch_filings.xlsx` into `directory`, which must exist; the same province gives the same bytes.
pub fn write(province: &Province, directory: &Path) -> anyhow::Result<()> {
    let mut workbook = Workbook::new();
    let created_at = ExcelDateTime::from_ymd(2024, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created_at));
    let cover = workbook.add_worksheet();
    cover.set_name("说明")?;
    cover.write_string(0, 0, "劳务派遣单位备案情况")?;
    let sheet = workbook.add_worksheet();
    sheet.set_name(SHEET)?;
    for (column, title) in HEADER.iter().enumerate() {
        sheet.write_string(0, column as u16, *title)?;
    }
    for (place, row) in province.filings.iter().enumerate() {
        let text = province.filing_text(row);
        let stamp = instant(row.stamp_s).format("%Y-%m-%d %H:%M:%S").to_string();
        let status = match text.status.as_str() {
            "approved" => "已通过",
            "pending" => "待审核",
            "rejected" => "不通过",
            "revoked" => "已撤销",
            other => other,
        };
        let cells = [
            text.record_id.as_str(),
            &stamp,
            &text.dispatch_uscc,
            &text.dispatch_name,
            &text.licence_number,
            &text.province,
            &text.valid_from,
            &text.valid_to,
            status,
        ];
        for (column, cell) in cells.into_iter().enumerate() {
            if !cell.is_empty() {
                sheet.write_string(place as u32 + 1, column as u16, cell)?;
            }
        }
    }
    let path = directory.join("dispatch_filings.xlsx");
    workbook.save(&path).with_context(|| format!("writing {}", path.display()))
}
