//! Names of persons and units, rare characters and the middle dot of minority names included.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const SURNAMES: [&str; 40] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马",
    "罗", "梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓", "许", "傅", "沈", "曾",
    "欧阳", "诸葛",
];
const GIVEN: [&str; 48] = [
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超", "秀", "霞",
    "平", "刚", "桂", "英", "华", "建", "国", "文", "斌", "辉", "玲", "红", "春", "梅", "海", "燕", "波", "宁", "福",
    "生", "龙", "云", "兰", "水", "根", "发", "金", "秋", "香",
];
/// Outside the two-byte part of GB 18030 or outside the basic plane: what old systems lose.
const RARE: [&str; 8] = ["䶮", "㛃", "䲮", "𬭩", "𫖯", "𠅤", "𬀩", "𣲗"];
const MINORITY: [(&str, &str); 6] = [
    ("阿依古丽", "买买提"),
    ("热合曼", "吐尔逊"),
    ("迪丽娜尔", "阿不都拉"),
    ("索南", "达杰"),
    ("巴特尔", "苏和"),
    ("古丽巴哈尔", "艾山"),
];
const BRANDS: [&str; 24] = [
    "赣江",
    "鄱湖",
    "井冈",
    "庐山",
    "滕王阁",
    "青云",
    "瑞河",
    "信丰源",
    "明月",
    "三清",
    "龙虎",
    "武功",
    "抚河",
    "昌大",
    "安源",
    "星火",
    "汇鑫",
    "恒泰",
    "华瑞",
    "宏远",
    "嘉禾",
    "同心",
    "百川",
    "鸿途",
];
const TRADES: [&str; 12] =
    ["电子", "服饰", "陶瓷", "物流", "食品", "机械", "环保", "商贸", "建材", "医药", "纺织", "家居"];

/// A person's name: one in fifty with a rare character, one in a hundred with a middle dot.
pub fn person(rng: &mut ChaCha8Rng) -> String {
    let kind = rng.random_range(0..100);
    if kind == 0 {
        let (given, father) = pick(rng, &MINORITY);
        return format!("{given}·{father}");
    }
    let mut name = pick(rng, &SURNAMES).to_owned();
    name.push_str(pick(rng, if kind <= 2 { &RARE } else { &GIVEN }));
    if rng.random_range(0..10) < 7 {
        name.push_str(pick(rng, &GIVEN));
    }
    name
}

/// The name of an enterprise in a city.
pub fn enterprise(rng: &mut ChaCha8Rng, city: &str) -> String {
    format!("{city}{}{}有限公司", pick(rng, &BRANDS), pick(rng, &TRADES))
}

/// The name of a public body or association in a county.
pub fn public_body(rng: &mut ChaCha8Rng, city: &str, county: &str, ending: &str) -> String {
    format!("{city}{county}{}{ending}", pick(rng, &BRANDS))
}

/// The name of a dispatch company.
pub fn dispatcher(rng: &mut ChaCha8Rng, city: &str) -> String {
    format!("{city}{}劳务派遣有限公司", pick(rng, &BRANDS))
}

fn pick<T: Copy>(rng: &mut ChaCha8Rng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}
