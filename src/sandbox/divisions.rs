//! The hundred county-level units of Jiangxi with their wage class, and the minimum wages that pay is measured against.

use crate::domain::month::Month;

/// City code, city name, county units as `(last two digits, wage class, name)`. Codes: GB/T 2260 of 2022; classes: the notice of 2021.
type City = (u32, &'static str, &'static [(u32, u8, &'static str)]);

const CITIES: [City; 11] = [
    (
        3601,
        "南昌市",
        &[
            (2, 1, "东湖区"),
            (3, 1, "西湖区"),
            (4, 1, "青云谱区"),
            (11, 1, "青山湖区"),
            (13, 1, "红谷滩区"),
            (12, 2, "新建区"),
            (21, 2, "南昌县"),
            (23, 3, "安义县"),
            (24, 3, "进贤县"),
        ],
    ),
    (3602, "景德镇市", &[(3, 2, "珠山区"), (2, 3, "昌江区"), (22, 3, "浮梁县"), (81, 3, "乐平市")]),
    (3603, "萍乡市", &[(2, 2, "安源区"), (13, 2, "湘东区"), (21, 3, "莲花县"), (22, 3, "上栗县"), (23, 3, "芦溪县")]),
    (
        3604,
        "九江市",
        &[
            (2, 2, "濂溪区"),
            (3, 2, "浔阳区"),
            (4, 3, "柴桑区"),
            (23, 3, "武宁县"),
            (24, 3, "修水县"),
            (25, 3, "永修县"),
            (26, 3, "德安县"),
            (28, 3, "都昌县"),
            (29, 3, "湖口县"),
            (30, 3, "彭泽县"),
            (81, 3, "瑞昌市"),
            (82, 3, "共青城市"),
            (83, 3, "庐山市"),
        ],
    ),
    (3605, "新余市", &[(2, 2, "渝水区"), (21, 3, "分宜县")]),
    (3606, "鹰潭市", &[(2, 2, "月湖区"), (81, 2, "贵溪市"), (3, 3, "余江区")]),
    (
        3607,
        "赣州市",
        &[
            (2, 2, "章贡区"),
            (3, 2, "南康区"),
            (4, 3, "赣县区"),
            (22, 3, "信丰县"),
            (23, 3, "大余县"),
            (24, 3, "上犹县"),
            (25, 3, "崇义县"),
            (26, 3, "安远县"),
            (28, 3, "定南县"),
            (29, 3, "全南县"),
            (30, 3, "宁都县"),
            (31, 3, "于都县"),
            (32, 3, "兴国县"),
            (33, 3, "会昌县"),
            (34, 3, "寻乌县"),
            (35, 3, "石城县"),
            (81, 3, "瑞金市"),
            (83, 3, "龙南市"),
        ],
    ),
    (
        3608,
        "吉安市",
        &[
            (2, 2, "吉州区"),
            (3, 3, "青原区"),
            (21, 3, "吉安县"),
            (22, 3, "吉水县"),
            (23, 3, "峡江县"),
            (24, 3, "新干县"),
            (25, 3, "永丰县"),
            (26, 3, "泰和县"),
            (27, 3, "遂川县"),
            (28, 3, "万安县"),
            (29, 3, "安福县"),
            (30, 3, "永新县"),
            (81, 3, "井冈山市"),
        ],
    ),
    (
        3609,
        "宜春市",
        &[
            (2, 2, "袁州区"),
            (21, 3, "奉新县"),
            (22, 3, "万载县"),
            (23, 3, "上高县"),
            (24, 3, "宜丰县"),
            (25, 3, "靖安县"),
            (26, 3, "铜鼓县"),
            (81, 3, "丰城市"),
            (82, 3, "樟树市"),
            (83, 3, "高安市"),
        ],
    ),
    (
        3610,
        "抚州市",
        &[
            (2, 2, "临川区"),
            (3, 3, "东乡区"),
            (21, 3, "南城县"),
            (22, 3, "黎川县"),
            (23, 3, "南丰县"),
            (24, 3, "崇仁县"),
            (25, 3, "乐安县"),
            (26, 3, "宜黄县"),
            (27, 3, "金溪县"),
            (28, 3, "资溪县"),
            (30, 3, "广昌县"),
        ],
    ),
    (
        3611,
        "上饶市",
        &[
            (2, 2, "信州区"),
            (3, 3, "广丰区"),
            (4, 3, "广信区"),
            (23, 3, "玉山县"),
            (24, 3, "铅山县"),
            (25, 3, "横峰县"),
            (26, 3, "弋阳县"),
            (27, 3, "余干县"),
            (28, 3, "鄱阳县"),
            (29, 3, "万年县"),
            (30, 3, "婺源县"),
            (81, 3, "德兴市"),
        ],
    ),
];

/// From (year, month): yuan for classes 1, 2 and 3, the newest first.
const MINIMUM_WAGES: [(i32, u32, [i64; 3]); 4] = [
    (2025, 12, [2240, 2090, 1950]),
    (2024, 4, [2000, 1870, 1740]),
    (2021, 4, [1850, 1730, 1610]),
    (2018, 1, [1680, 1580, 1470]),
];

/// One county-level unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// Six digits.
    pub code: u32,
    pub city: &'static str,
    pub name: &'static str,
    /// 1 to 3.
    pub wage_class: u8,
}

/// Every county-level unit, city by city.
pub fn all() -> Vec<Division> {
    let county = |city: &City, (number, wage_class, name): (u32, u8, &'static str)| Division {
        code: city.0 * 100 + number,
        city: city.1,
        name,
        wage_class,
    };
    CITIES.iter().flat_map(|city| city.2.iter().map(move |unit| county(city, *unit))).collect()
}

/// Fen a month for a wage class on the first day of `month`; the oldest known amount before 2018.
pub fn minimum_wage_fen(wage_class: u8, month: Month) -> i64 {
    let amounts = MINIMUM_WAGES
        .iter()
        .find(|(year, number, _)| (month.year(), month.number()) >= (*year, *number))
        .map_or(MINIMUM_WAGES[3].2, |(_, _, amounts)| *amounts);
    amounts[usize::from(wage_class.clamp(1, 3)) - 1] * 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jiangxi_has_a_hundred_county_level_units_of_three_classes() {
        let divisions = all();
        assert_eq!(divisions.len(), 100);
        let of_class = |class| divisions.iter().filter(|division| division.wage_class == class).count();
        assert_eq!((of_class(1), of_class(2), of_class(3)), (5, 16, 79));
    }

    #[test]
    fn the_minimum_wage_rises_within_the_business_year_2025() {
        let month = |text: &str| text.parse::<Month>().expect("month");
        assert_eq!(minimum_wage_fen(1, month("2025-11")), 200_000);
        assert_eq!(minimum_wage_fen(1, month("2025-12")), 224_000);
        assert_eq!(minimum_wage_fen(3, month("2021-03")), 147_000);
        assert_eq!(minimum_wage_fen(3, month("2010-01")), 147_000);
    }
}
