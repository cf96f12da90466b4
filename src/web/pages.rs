//! Pages as HTML, each whole in itself: no script, nothing loaded, everything from outside escaped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::declare::certification::Issued;
use crate::domain::certification_document::Validity;

/// For screens and for A4.
const STYLE: &str = include_str!("pages.css");

/// What the pages' content security policy says of their style.
pub(super) fn style_source() -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(STYLE)))
}

fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="zh-CN" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

/// The document as it is printed.
pub fn certification_page(issued: &Issued) -> String {
    let title = format!("按比例就业年审认定书 {}", issued.document.certification_number);
    page(&title, &document(issued))
}

/// What the public page shows below its form.
#[derive(Clone, Copy)]
pub enum Shown<'a> {
    Nothing,
    Document(&'a Issued),
    NotFound,
    TooMany { seconds: u64 },
    Failed,
}

/// The public page: a form for number and code, and what they lead to.
pub fn check_page(number: &str, shown: &Shown<'_>) -> String {
    let said = |text: &str| html! { p.said role="alert" { (text) } };
    let body = html! {
        h1 { "认定书查验" }
        form method="post" action="/check" {
            p {
                label for="number" { "认定书编号" }
                input #number name="number" value=(number) required maxlength="40" autocomplete="off";
            }
            p {
                label for="code" { "校验码" }
                input #code name="code" required maxlength="40" autocomplete="off" aria-describedby="code-form";
                span #code-form.hint { "12位，如 0000-0000-0000" }
            }
            p { button type="submit" { "查验" } }
        }
        @match shown {
            Shown::Nothing => {},
            Shown::Document(issued) => section.result aria-label="查验结果" {
                (document(issued))
            },
            Shown::NotFound => (said("编号与校验码不符，未找到该认定书。")),
            Shown::TooMany { seconds } => (said(&format!("查询过于频繁，请{seconds}秒后再试。"))),
            Shown::Failed => (said("系统暂时无法处理，请稍后再试。")),
        }
    };
    page("认定书查验", &body)
}

fn document(issued: &Issued) -> Markup {
    let Issued { document, check_code, validity, issued_at, names } = issued;
    let day = |instant: &chrono::DateTime<chrono::FixedOffset>| instant.format("%Y年%-m月%-d日").to_string();
    let first_day = chrono::DateTime::parse_from_rfc3339(issued_at).map_or_else(|_| issued_at.clone(), |at| day(&at));
    let rows: [(&str, String); 10] = [
        ("用人单位名称", document.employer_name.clone()),
        ("统一社会信用代码", document.uscc.clone()),
        ("认定年度", format!("{}年", document.year)),
        ("安置残疾人数", format!("{}人", document.person_count)),
        ("安置人月数（不加权）", document.unweighted_person_months.to_string()),
        ("安置人月数（加权）", document.weighted_person_months.to_string()),
        (
            "已安置残疾人就业人数",
            format!("{}人（精确值 {}）", document.placed_persons.decimal, document.placed_persons.fraction),
        ),
        ("完成申报日期", day(&document.certified_at)),
        ("税务部门接收日期", day(&document.accepted_at)),
        ("税务部门回执编号", document.receipt.clone()),
    ];
    html! {
        article.document {
            header {
                h1 { "用人单位按比例安排残疾人就业年审认定书" }
                p.number { "编号：" (document.certification_number) "　第" (document.version) "版" }
            }
            @if *validity != Validity::InForce { p.invalid role="alert" { (validity.chinese()) } }
            table {
                caption { "认定结果" }
                tbody { @for (name, value) in &rows { tr { th scope="row" { (name) } td { (value) } } } }
            }
            table.months {
                caption { "各月加权人数" }
                thead { tr { @for month in 1..=12 { th scope="col" { (month) "月" } } } }
                tbody { tr { @for count in &document.months { td { (count) } } } }
            }
            @if let Some(names) = names {
                section.names {
                    h2 { "安置残疾人名单" }
                    ol { @for name in names { li { (name) } } }
                }
            }
            footer {
                p { "认定机构：" (document.issued_by) }
                p { "状态：" strong { (validity.chinese()) } }
                p { "首次出具：" (first_day) }
                p { "校验码：" span.code { (check_code) } }
                p.hint { "凭编号与校验码可在本系统“认定书查验”页面核对本认定书的内容及其是否有效。" }
            }
        }
    }
}
