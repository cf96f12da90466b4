//! What a person is told of a cell: one of each code, in both languages, on the hand-made province.

use chrono::NaiveDate;
use renzheng::domain::facts::PersonId;
use renzheng::domain::foresight::Foreseen;
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::domain::said::Language;
use renzheng::domain::verdict::Check;
use renzheng::ingest::PullOutcome;
use renzheng::policy::{self, Reading};
use renzheng::verify::explain::text::{check_text, conflict_text, text};
use renzheng::verify::explain::{Asked, Explanation, explain};
use renzheng::verify::foresight::look_ahead;

use crate::fixtures::Day;

const E1: &str = "91369900MA1000A10H";
const E2: &str = "91369900MA1000A29E";
const E3: &str = "91369900MA1000A379";
const E4: &str = "91369900MA1000A454";
const E5: &str = "123699001000000590";
const E6: &str = "91369900MA1000A61R";
const E7: &str = "91369900MA1000A7XH";
const E8: &str = "11369900100000083K";
const E9: &str = "51369900500000090L";
const STRANGER: &str = "91369900MA3000X10R";

/// The province with everything delivered, on 15 April 2026.
async fn province(name: &str) -> Day {
    let day = Day::begin(name).await;
    for wages in ["wage-1.ndjson", "wage-2.ndjson"] {
        day.deliver_wages(wages);
        assert_eq!(day.pull("pull-wage").await, PullOutcome::Published);
    }
    for job in ["pull-certificate", "pull-dispatch", "pull-pension", "pull-medical"] {
        assert_eq!(day.pull(job).await, PullOutcome::Published);
    }
    day
}

async fn person(day: &Day, id: &str) -> PersonId {
    let id = ResidentId::parse(id).expect("an ID number");
    day.harness.store.find_person(&id).await.expect("an answer").expect("a person")
}

async fn explained(day: &Day, reading: &Reading, employer: &str, id: &str, month: &str, reveal: bool) -> Explanation {
    let code = Uscc::parse(employer).expect("a code");
    let unit = day.harness.store.find_unit(&code).await.expect("an answer").expect("a unit");
    let asked = Asked { employer: unit, person: person(day, id).await, month: month.parse().expect("a month"), reveal };
    explain(&day.harness.store, reading, asked).await.expect("an explanation").expect("a placement")
}

/// Times of day and the policy's hash are left out: they are another's at every run or with every notice.
fn steady(told: &str, reading: &Reading) -> String {
    let told = told.replace(&reading.policy.version, "[policy]");
    let mut out = String::new();
    let mut rest = told.as_str();
    while let Some(at) = rest.find('T') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let of_time = |sign: char| sign.is_ascii_digit() || ":.+Z-".contains(sign);
        let end = after.find(|sign| !of_time(sign)).unwrap_or(after.len());
        let is_time = after.as_bytes().get(2) == Some(&b':');
        if is_time {
            out.push('…');
            rest = &after[end..];
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// What is told of one check, English first.
async fn told(day: &Day, check: Check, employer: &str, id: &str, month: &str) -> String {
    told_by(day, &day.harness.policy, check, employer, id, month).await
}

async fn told_by(day: &Day, reading: &Reading, check: Check, employer: &str, id: &str, month: &str) -> String {
    let explanation = explained(day, reading, employer, id, month, false).await;
    let evidence = explanation.checks.iter().find(|evidence| evidence.check == check).expect("the check");
    let both = [Language::English, Language::Chinese].map(|language| check_text(evidence, language));
    steady(&both.join("\n"), reading)
}

#[expect(clippy::too_many_lines, reason = "the lines are what is told of each code")]
#[tokio::test(flavor = "multi_thread")]
async fn a_wage_is_told_with_what_was_found_passed_over_and_what_to_do() {
    let day = province("explain_wages").await;
    let told = async |employer, id, month| told(&day, Check::Wage, employer, id, month).await;
    insta::assert_snapshot!(told(E1, "360006198303030677", "2025-03").await, @r#"
√ 工资信息 wage: pass (passes)
    found: 2200.00 yuan for 2025-03, required 2000.00 yuan
    rests on: 1200.00 yuan from the employer 91369900MA1000A10H (pull-wage 1/0/65, delivered 2026-04-15T…, stamped 2026-03-20T…)
    rests on: 1000.00 yuan from the employer 91369900MA1000A10H (pull-wage 1/0/77, delivered 2026-04-15T…, stamped 2026-03-20T…)
    rule: what the wage payer reported for the period, corrections and reversals added up, reaches the minimum wage of the employer's class on the first day of the month [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    policy: minimum_wage from 2024-04-01 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    policy: wage_classes from 2013-01-01 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    policy: wage_basis from 2013-01-01 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
√ 工资信息：通过
    实际：2025-03 2200.00元，要求2000.00元
    依据：本单位91369900MA1000A10H发放1200.00元（pull-wage 1/0/65，送达2026-04-15T…，数据时间2026-03-20T…）
    依据：本单位91369900MA1000A10H发放1000.00元（pull-wage 1/0/77，送达2026-04-15T…，数据时间2026-03-20T…）
    规则：工资发放单位申报的当期工资（更正、冲销一并计算）合计不低于当月1日执行的最低工资标准 [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    政策条目：minimum_wage 2024-04-01起 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    政策条目：wage_classes 2013-01-01起 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    政策条目：wage_basis 2013-01-01起 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
"#);
    insta::assert_snapshot!(told(E1, "360002198507100221", "2025-12").await, @r#"
Ⅹ 工资信息 wage: below_minimum (below the minimum wage)
    found: 2239.99 yuan for 2025-12, required 2240.00 yuan
    rests on: 2239.99 yuan from the employer 91369900MA1000A10H (pull-wage 1/0/24, delivered 2026-04-15T…, stamped 2026-03-20T…)
    rule: what the wage payer reported for the period, corrections and reversals added up, reaches the minimum wage of the employer's class on the first day of the month [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    policy: minimum_wage from 2025-12-01 (赣府厅字〔2025〕42号, secondary copy)
    policy: wage_classes from 2013-01-01 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    policy: wage_basis from 2013-01-01 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
    to do: 0.01 yuan are missing for 2025-12: pay them and correct the withholding return of 91369900MA1000A10H; if they were paid, show it
    by: the paying unit, the employer's handler
    evidence: tax-issued income statement for 2025-12 from unit 91369900MA1000A10H, with the bank slip or the pay record of the same wage
Ⅹ 工资信息：低于最低工资标准
    实际：2025-12 2239.99元，要求2240.00元
    依据：本单位91369900MA1000A10H发放2239.99元（pull-wage 1/0/24，送达2026-04-15T…，数据时间2026-03-20T…）
    规则：工资发放单位申报的当期工资（更正、冲销一并计算）合计不低于当月1日执行的最低工资标准 [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    政策条目：minimum_wage 2025-12-01起 (赣府厅字〔2025〕42号, secondary copy)
    政策条目：wage_classes 2013-01-01起 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    政策条目：wage_basis 2013-01-01起 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
    处理办法：2025-12还差0.01元：补发并更正91369900MA1000A10H的个人所得税扣缴申报；如已发放，提交证明
    由谁办理：发放或缴费单位、单位经办人
    证明材料：税务机关出具的2025-12个人收入纳税明细（扣缴单位91369900MA1000A10H），并附同月银行代发流水或工资发放凭证
"#);
    insta::assert_snapshot!(told(E1, "360005198809090558", "2025-08").await, @r#"
Ⅹ 工资信息 wage: wrong_unit (paid by another unit only)
    found: nothing for 2025-08, required 2000.00 yuan
    passed over: a wage from another unit (pull-wage 1/0/59, delivered 2026-04-15T…, stamped 2026-03-20T…); because it is of another unit than the one declared
    rule: what the wage payer reported for the period, corrections and reversals added up, reaches the minimum wage of the employer's class on the first day of the month [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    policy: minimum_wage from 2024-04-01 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    policy: wage_classes from 2013-01-01 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    policy: wage_basis from 2013-01-01 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
    to do: the placement names 91369900MA1000A10H as the unit that pays: correct it to the unit that does (an affiliate is listed with its proof first), or have 91369900MA1000A10H report the wage
    by: the employer's handler, the paying unit
    evidence: tax-issued income statement for 2025-08 from the unit that paid, and the agreement or proof of its relation to the employer
Ⅹ 工资信息：由其他单位发放
    实际：2025-08无，要求2000.00元
    未采用：其他单位发放的工资（pull-wage 1/0/59，送达2026-04-15T…，数据时间2026-03-20T…）；原因：所属单位不是登记的单位
    规则：工资发放单位申报的当期工资（更正、冲销一并计算）合计不低于当月1日执行的最低工资标准 [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    政策条目：minimum_wage 2024-04-01起 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    政策条目：wage_classes 2013-01-01起 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    政策条目：wage_basis 2013-01-01起 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
    处理办法：安置信息登记的工资发放单位是91369900MA1000A10H：改为实际发放单位（关联单位须先登记并上传关系证明），或由91369900MA1000A10H申报工资
    由谁办理：单位经办人、发放或缴费单位
    证明材料：税务机关出具的2025-08个人收入纳税明细（实际发放单位），以及该单位与用人单位的关系证明
"#);
    insta::assert_snapshot!(told(E1, "360004199002140444", "2025-04").await, @r#"
Ⅹ 工资信息 wage: wrong_unit (paid by another unit only)
    found: nothing for 2025-04, required 2000.00 yuan
    passed over: 3000.00 yuan from the employer 91369900MA1000A10H (pull-wage 1/0/49, delivered 2026-04-15T…, stamped 2026-03-20T…); because it is of another unit than the one declared
    rule: what the wage payer reported for the period, corrections and reversals added up, reaches the minimum wage of the employer's class on the first day of the month [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    policy: minimum_wage from 2024-04-01 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    policy: wage_classes from 2013-01-01 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    policy: wage_basis from 2013-01-01 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
    to do: the placement names 91369900MA2000F14G as the unit that pays: correct it to the unit that does (an affiliate is listed with its proof first), or have 91369900MA2000F14G report the wage
    by: the employer's handler, the paying unit
    evidence: tax-issued income statement for 2025-04 from the unit that paid, and the agreement or proof of its relation to the employer
Ⅹ 工资信息：由其他单位发放
    实际：2025-04无，要求2000.00元
    未采用：本单位91369900MA1000A10H发放3000.00元（pull-wage 1/0/49，送达2026-04-15T…，数据时间2026-03-20T…）；原因：所属单位不是登记的单位
    规则：工资发放单位申报的当期工资（更正、冲销一并计算）合计不低于当月1日执行的最低工资标准 [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    政策条目：minimum_wage 2024-04-01起 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    政策条目：wage_classes 2013-01-01起 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    政策条目：wage_basis 2013-01-01起 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
    处理办法：安置信息登记的工资发放单位是91369900MA2000F14G：改为实际发放单位（关联单位须先登记并上传关系证明），或由91369900MA2000F14G申报工资
    由谁办理：单位经办人、发放或缴费单位
    证明材料：税务机关出具的2025-04个人收入纳税明细（实际发放单位），以及该单位与用人单位的关系证明
"#);
    insta::assert_snapshot!(told(E1, "360005198809090558", "2025-10").await, @r#"
Ⅹ 工资信息 wage: no_record (no wage reported)
    found: nothing for 2025-10, required 2000.00 yuan
    looked for: a wage of the person for 2025-10, of unit 91369900MA1000A10H or any other
    in: pull-wage: last whole pull on 2026-04-15, complete through 2026-02
    rule: what the wage payer reported for the period, corrections and reversals added up, reaches the minimum wage of the employer's class on the first day of the month [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    policy: minimum_wage from 2024-04-01 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    policy: wage_classes from 2013-01-01 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    policy: wage_basis from 2013-01-01 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
    to do: have 91369900MA1000A10H file the withholding return for 2025-10; the month turns with the next delivery
    by: the paying unit, the tax office
    evidence: tax-issued income statement for 2025-10 from unit 91369900MA1000A10H, with the bank slip or the pay record of the same wage
Ⅹ 工资信息：无工资记录
    实际：2025-10无，要求2000.00元
    已查找：该人员2025-10的工资记录（91369900MA1000A10H或其他任何单位）
    来源：pull-wage：最近一次完整拉取2026-04-15，数据完整至2026-02
    规则：工资发放单位申报的当期工资（更正、冲销一并计算）合计不低于当月1日执行的最低工资标准 [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    政策条目：minimum_wage 2024-04-01起 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    政策条目：wage_classes 2013-01-01起 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    政策条目：wage_basis 2013-01-01起 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
    处理办法：由91369900MA1000A10H补报2025-10个人所得税扣缴申报，下次数据到达后自动更新
    由谁办理：发放或缴费单位、税务机关
    证明材料：税务机关出具的2025-10个人收入纳税明细（扣缴单位91369900MA1000A10H），并附同月银行代发流水或工资发放凭证
"#);
    insta::assert_snapshot!(told(E6, "36002819850515289X", "2025-08").await, @r#"
… 工资信息 wage: pending (not known yet)
    found: 900.00 yuan for 2025-08, required 1870.00 yuan
    rests on: 900.00 yuan from the employer 91369900MA1000A61R (pull-wage 1/0/340, delivered 2026-04-15T…, stamped 2026-03-20T…)
    pending: 2025-08 has not been delivered whole by pull-wage-yichun, which is past its day; waiting since 2025-09-01
    waits for: pull-wage-yichun: never pulled whole, late since 2025-10-16
    to do: nothing for the employer: a source is late, staff ask the agency for it and pull again
    by: federation staff, the agency that delivers the data
    evidence: no document is asked for
    rule: what the wage payer reported for the period, corrections and reversals added up, reaches the minimum wage of the employer's class on the first day of the month [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    policy: minimum_wage from 2024-04-01 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    policy: wage_classes from 2013-01-01 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    policy: wage_basis from 2013-01-01 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
… 工资信息：待到数
    实际：2025-08 900.00元，要求1870.00元
    依据：本单位91369900MA1000A61R发放900.00元（pull-wage 1/0/340，送达2026-04-15T…，数据时间2026-03-20T…）
    待到数：2025-08数据已过到期日，pull-wage-yichun尚未完整提供；自2025-09-01起等待
    等待来源：pull-wage-yichun：从未完整拉取，自2025-10-16起逾期
    处理办法：单位无需处理：数据提供部门逾期，由残联催报并重新拉取
    由谁办理：残联工作人员、数据提供部门
    证明材料：无需提交材料
    规则：工资发放单位申报的当期工资（更正、冲销一并计算）合计不低于当月1日执行的最低工资标准 [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    政策条目：minimum_wage 2024-04-01起 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    政策条目：wage_classes 2013-01-01起 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    政策条目：wage_basis 2013-01-01起 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
"#);
    insta::assert_snapshot!(told(E8, "360032199010013256", "2025-03").await, @r#"
… 工资信息 wage: pending (not known yet)
    found: nothing for 2025-03, required 1740.00 yuan
    pending: a record that may be the missing one was refused and lies in quarantine; waiting since 2026-04-15
    refused: record 2 in quarantine, malformed (amount), pull-wage 1/0/381, delivered 2026-04-15T…
    to do: nothing for the employer: staff look at the refused record, have it put right at the agency, replay or discard it
    by: federation staff, the agency that delivers the data
    evidence: no document is asked for
    rule: what the wage payer reported for the period, corrections and reversals added up, reaches the minimum wage of the employer's class on the first day of the month [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    policy: minimum_wage from 2024-04-01 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    policy: wage_classes from 2013-01-01 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    policy: wage_basis from 2013-01-01 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
… 工资信息：待到数
    实际：2025-03无，要求1740.00元
    待到数：可能对应的数据被拒收，正在隔离待处理；自2026-04-15起等待
    被拒数据：隔离记录2，malformed (amount)，pull-wage 1/0/381，送达2026-04-15T…
    处理办法：单位无需处理：由残联核查被拒数据，联系提供部门更正后重放，或作废
    由谁办理：残联工作人员、数据提供部门
    证明材料：无需提交材料
    规则：工资发放单位申报的当期工资（更正、冲销一并计算）合计不低于当月1日执行的最低工资标准 [联网认证系统用户手册 3.2; 最低工资规定 art. 12]
    政策条目：minimum_wage 2024-04-01起 (Table of the human resources ministry as of 2025-07-01; the first day from memory, unverified)
    政策条目：wage_classes 2013-01-01起 (Class list of the notice of 2021, the same at county level in 赣府厅字〔2025〕42号; class 3 is the rest. Lists before 2021-04-01 were not found, this one is taken, unverified)
    政策条目：wage_basis 2013-01-01起 (Decision of this system: no Jiangxi text after 2013 says whether the standard includes the personal insurance share)
"#);
}

#[expect(clippy::too_many_lines, reason = "the lines are what is told of each code")]
#[tokio::test(flavor = "multi_thread")]
async fn an_insurance_is_told_with_its_unit_scheme_and_payment() {
    let day = province("explain_insurances").await;
    let pension = async |employer, id, month| told(&day, Check::Pension, employer, id, month).await;
    let medical = async |employer, id, month| told(&day, Check::Medical, employer, id, month).await;
    insta::assert_snapshot!(pension(E1, "360002198507100221", "2025-01").await, @r#"
√ 社保参保状态 pension: pass (passes)
    rests on: employee insurance through the employer 91369900MA1000A10H, paid (pull-pension 5/0/14, delivered 2026-04-15T…, stamped 2026-03-05T…)
    rule: the unit named paid employee pension insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
√ 社保参保状态：通过
    依据：本单位91369900MA1000A10H职工保险，已缴（pull-pension 5/0/14，送达2026-04-15T…，数据时间2026-03-05T…）
    规则：登记的缴费单位已为其缴纳当月职工养老保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
"#);
    insta::assert_snapshot!(pension(E2, "360010198104041001", "2025-10").await, @r#"
Ⅹ 社保参保状态 pension: unpaid (registered, not paid)
    rests on: employee insurance through the employer 91369900MA1000A29E, owed (pull-pension 5/0/130, delivered 2026-04-15T…, stamped 2026-03-05T…)
    passed over: employee insurance through the person's own account, paid (pull-pension 5/0/131, delivered 2026-04-15T…, stamped 2026-03-05T…); because it is on the person's own account (flexible employment)
    rule: the unit named paid employee pension insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
    to do: 91369900MA1000A29E registered 2025-10 for pension insurance and owes it: pay the arrears; the month turns with the next delivery
    by: the paying unit, the social insurance bureau
    evidence: personal pension insurance statement that shows 2025-10 with unit 91369900MA1000A29E, from the insurance system or the service hall
Ⅹ 社保参保状态：欠费
    依据：本单位91369900MA1000A29E职工保险，欠费（pull-pension 5/0/130，送达2026-04-15T…，数据时间2026-03-05T…）
    未采用：个人账户职工保险，已缴（pull-pension 5/0/131，送达2026-04-15T…，数据时间2026-03-05T…）；原因：以个人（灵活就业）身份参保，不是单位参保
    规则：登记的缴费单位已为其缴纳当月职工养老保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
    处理办法：91369900MA1000A29E 2025-10 职工基本养老保险欠费：补缴到账，下次数据到达后自动更新
    由谁办理：发放或缴费单位、社会保险经办机构
    证明材料：个人养老保险参保缴费证明（体现2025-10、缴费单位91369900MA1000A29E），由参保系统下载或经办大厅打印
"#);
    insta::assert_snapshot!(pension(E2, "360010198104041001", "2025-06").await, @r#"
Ⅹ 社保参保状态 pension: wrong_unit (insured through another unit or an own account)
    passed over: employee insurance through another unit, paid (pull-pension 5/0/127, delivered 2026-04-15T…, stamped 2026-03-05T…); because it is of another unit than the one declared
    rule: the unit named paid employee pension insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
    to do: the placement names 91369900MA1000A29E for pension insurance: correct it to the unit that insures (an affiliate is listed with its proof first), or have 91369900MA1000A29E insure the person
    by: the employer's handler, the paying unit
    evidence: personal pension insurance statement that shows 2025-06 and the unit that paid, and the agreement or proof of its relation to the employer
Ⅹ 社保参保状态：由其他单位或个人缴纳
    未采用：其他单位职工保险，已缴（pull-pension 5/0/127，送达2026-04-15T…，数据时间2026-03-05T…）；原因：所属单位不是登记的单位
    规则：登记的缴费单位已为其缴纳当月职工养老保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
    处理办法：安置信息登记的职工基本养老保险缴费单位是91369900MA1000A29E：改为实际缴费单位（关联单位须先登记并上传关系证明），或由91369900MA1000A29E办理参保
    由谁办理：单位经办人、发放或缴费单位
    证明材料：个人养老保险参保缴费证明（体现2025-06及实际缴费单位），以及该单位与用人单位的关系证明
"#);
    insta::assert_snapshot!(pension(E2, "360010198104041001", "2025-08").await, @r#"
Ⅹ 社保参保状态 pension: resident_scheme (insured as a resident only)
    passed over: residents' insurance through the person's own account, paid (pull-pension 5/0/129, delivered 2026-04-15T…, stamped 2026-03-05T…); because residents' insurance is no employee insurance
    rule: the unit named paid employee pension insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
    to do: only insured as a resident: have 91369900MA1000A29E register the person for employee pension insurance and pay 2025-08 if the bureau takes it afterwards
    by: the paying unit, the social insurance bureau
    evidence: personal pension insurance statement that shows 2025-08 with unit 91369900MA1000A29E, from the insurance system or the service hall
Ⅹ 社保参保状态：仅有居民保险
    未采用：个人账户居民保险，已缴（pull-pension 5/0/129，送达2026-04-15T…，数据时间2026-03-05T…）；原因：居民保险不是职工保险
    规则：登记的缴费单位已为其缴纳当月职工养老保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
    处理办法：仅有居民保险：由91369900MA1000A29E办理职工基本养老保险参保，经办机构允许的补缴2025-08
    由谁办理：发放或缴费单位、社会保险经办机构
    证明材料：个人养老保险参保缴费证明（体现2025-08、缴费单位91369900MA1000A29E），由参保系统下载或经办大厅打印
"#);
    insta::assert_snapshot!(pension(E2, "360010198104041001", "2025-09").await, @r#"
Ⅹ 社保参保状态 pension: no_record (not insured)
    looked for: a contribution of the person for 2025-09, by unit 91369900MA1000A29E, any other unit, an own account, or as a resident
    in: pull-pension: last whole pull on 2026-04-15, complete through 2026-02
    rule: the unit named paid employee pension insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
    to do: have 91369900MA1000A29E register the person for pension insurance and pay 2025-09; if it was paid in another province, show it
    by: the paying unit, the social insurance bureau
    evidence: personal pension insurance statement that shows 2025-09 with unit 91369900MA1000A29E, from the insurance system or the service hall
Ⅹ 社保参保状态：无参保记录
    已查找：该人员2025-09的缴费记录（91369900MA1000A29E、其他单位、个人账户或居民保险）
    来源：pull-pension：最近一次完整拉取2026-04-15，数据完整至2026-02
    规则：登记的缴费单位已为其缴纳当月职工养老保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
    处理办法：由91369900MA1000A29E办理职工基本养老保险参保并缴纳2025-09；如在外省缴纳，提交证明
    由谁办理：发放或缴费单位、社会保险经办机构
    证明材料：个人养老保险参保缴费证明（体现2025-09、缴费单位91369900MA1000A29E），由参保系统下载或经办大厅打印
"#);
    insta::assert_snapshot!(pension(E8, "360032199010013256", "2025-09").await, @r#"
… 社保参保状态 pension: pending (not known yet)
    pending: a record that may be the missing one was refused and lies in quarantine; waiting since 2026-04-15
    refused: record 11 in quarantine, checksum (insured_uscc), pull-pension 5/0/392, delivered 2026-04-15T…
    to do: nothing for the employer: staff look at the refused record, have it put right at the agency, replay or discard it
    by: federation staff, the agency that delivers the data
    evidence: no document is asked for
    rule: the unit named paid employee pension insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
… 社保参保状态：待到数
    待到数：可能对应的数据被拒收，正在隔离待处理；自2026-04-15起等待
    被拒数据：隔离记录11，checksum (insured_uscc)，pull-pension 5/0/392，送达2026-04-15T…
    处理办法：单位无需处理：由残联核查被拒数据，联系提供部门更正后重放，或作废
    由谁办理：残联工作人员、数据提供部门
    证明材料：无需提交材料
    规则：登记的缴费单位已为其缴纳当月职工养老保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
"#);
    insta::assert_snapshot!(medical(E2, "360011197901201110", "2025-07").await, @r#"
Ⅹ 医保参保状态 medical: wrong_unit (insured through another unit or an own account)
    passed over: employee insurance through the person's own account, paid (pull-medical 6/0/140, delivered 2026-04-15T…, stamped 2026-04-15T…); because it is on the person's own account (flexible employment)
    passed over: residents' insurance through the person's own account, paid (pull-medical 6/0/141, delivered 2026-04-15T…, stamped 2026-04-15T…); because residents' insurance is no employee insurance
    rule: the unit named paid employee medical insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
    to do: the placement names 91369900MA1000A29E for medical insurance: correct it to the unit that insures (an affiliate is listed with its proof first), or have 91369900MA1000A29E insure the person
    by: the employer's handler, the paying unit
    evidence: medical insurance payment statement that shows 2025-07 and the unit that paid, and the agreement or proof of its relation to the employer
Ⅹ 医保参保状态：由其他单位或个人缴纳
    未采用：个人账户职工保险，已缴（pull-medical 6/0/140，送达2026-04-15T…，数据时间2026-04-15T…）；原因：以个人（灵活就业）身份参保，不是单位参保
    未采用：个人账户居民保险，已缴（pull-medical 6/0/141，送达2026-04-15T…，数据时间2026-04-15T…）；原因：居民保险不是职工保险
    规则：登记的缴费单位已为其缴纳当月职工医疗保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
    处理办法：安置信息登记的职工基本医疗保险缴费单位是91369900MA1000A29E：改为实际缴费单位（关联单位须先登记并上传关系证明），或由91369900MA1000A29E办理参保
    由谁办理：单位经办人、发放或缴费单位
    证明材料：医疗保险缴费证明（体现2025-07及实际缴费单位），以及该单位与用人单位的关系证明
"#);
    insta::assert_snapshot!(medical(E2, "360011197901201110", "2025-12").await, @r#"
Ⅹ 医保参保状态 medical: no_record (not insured)
    looked for: a contribution of the person for 2025-12, by unit 91369900MA1000A29E, any other unit, an own account, or as a resident
    in: pull-medical: last whole pull on 2026-04-15, complete through 2026-02
    rule: the unit named paid employee medical insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
    to do: have 91369900MA1000A29E register the person for medical insurance and pay 2025-12; if it was paid in another province, show it
    by: the paying unit, the medical insurance bureau
    evidence: medical insurance payment statement that shows 2025-12 with unit 91369900MA1000A29E, from the insurance system or the service hall
Ⅹ 医保参保状态：无参保记录
    已查找：该人员2025-12的缴费记录（91369900MA1000A29E、其他单位、个人账户或居民保险）
    来源：pull-medical：最近一次完整拉取2026-04-15，数据完整至2026-02
    规则：登记的缴费单位已为其缴纳当月职工医疗保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
    处理办法：由91369900MA1000A29E办理职工基本医疗保险参保并缴纳2025-12；如在外省缴纳，提交证明
    由谁办理：发放或缴费单位、医疗保障经办机构
    证明材料：医疗保险缴费证明（体现2025-12、缴费单位91369900MA1000A29E），由参保系统下载或经办大厅打印
"#);
    insta::assert_snapshot!(medical(E8, "360032199010013256", "2025-10").await, @r#"
… 医保参保状态 medical: pending (not known yet)
    pending: a record that may be the missing one was refused and lies in quarantine; waiting since 2026-04-15
    refused: record 13 in quarantine, unknown_value (status), pull-medical 6/0/393, delivered 2026-04-15T…
    to do: nothing for the employer: staff look at the refused record, have it put right at the agency, replay or discard it
    by: federation staff, the agency that delivers the data
    evidence: no document is asked for
    rule: the unit named paid employee medical insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
… 医保参保状态：待到数
    待到数：可能对应的数据被拒收，正在隔离待处理；自2026-04-15起等待
    被拒数据：隔离记录13，unknown_value (status)，pull-medical 6/0/393，送达2026-04-15T…
    处理办法：单位无需处理：由残联核查被拒数据，联系提供部门更正后重放，或作废
    由谁办理：残联工作人员、数据提供部门
    证明材料：无需提交材料
    规则：登记的缴费单位已为其缴纳当月职工医疗保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
"#);
    let changed = policy::BUILT_IN.replace("value = \"accept\"", "value = \"review\"");
    let reading = Reading { policy: policy::parse(&changed).expect("a policy"), text: changed };
    let reviewed = told_by(&day, &reading, Check::Medical, E2, "360011197901201110", "2025-01").await;
    insta::assert_snapshot!(reviewed, @r#"
Ⅹ 医保参保状态 medical: back_payment (paid afterwards only, to be reviewed)
    rests on: employee insurance through the employer 91369900MA1000A29E, paid afterwards (pull-medical 6/0/134, delivered 2026-04-15T…, stamped 2026-04-15T…)
    rule: the unit named paid employee medical insurance for the month; a month paid only afterwards is reviewed [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
    to do: 2025-01 was paid afterwards: hand in the statement, a reviewer decides
    by: the employer's handler, federation staff
    evidence: medical insurance payment statement that shows 2025-01 with unit 91369900MA1000A29E, from the insurance system or the service hall
Ⅹ 医保参保状态：仅有补缴，须审核
    依据：本单位91369900MA1000A29E职工保险，已补缴（pull-medical 6/0/134，送达2026-04-15T…，数据时间2026-04-15T…）
    规则：登记的缴费单位已为其缴纳当月职工医疗保险；仅有补缴的月份须审核 [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
    处理办法：2025-01为补缴：提交缴费证明，由残联审核
    由谁办理：单位经办人、残联工作人员
    证明材料：医疗保险缴费证明（体现2025-01、缴费单位91369900MA1000A29E），由参保系统下载或经办大厅打印
"#);
}

#[expect(clippy::too_many_lines, reason = "the lines are what is told of each code")]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_told_with_its_dates_and_status() {
    let day = province("explain_certificates").await;
    let told = async |employer, id, month| told(&day, Check::Certificate, employer, id, month).await;
    insta::assert_snapshot!(told(E3, "360013197001051332", "2025-07").await, @r#"
√ 残疾证状态 certificate: pass (passes)
    rests on: 残疾人证 level 3 from 2025-06-01 to 2035-05-31, valid (pull-certificate 3/0/16, delivered 2026-04-15T…, stamped 2026-04-01T…)
    passed over: 残疾人证 level 3 from 2015-03-10 to 2025-03-09, expired since 2025-03-10 (pull-certificate 3/0/15, delivered 2026-04-15T…, stamped 2026-04-01T…); because it is not in force on any day asked for
    rule: a certificate is in force on some day of the month [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    policy: certificate_month from 2013-01-01 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    policy: weights from 2013-01-01 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
√ 残疾证状态：通过
    依据：残疾人证3级，2025-06-01至2035-05-31，有效（pull-certificate 3/0/16，送达2026-04-15T…，数据时间2026-04-01T…）
    未采用：残疾人证3级，2015-03-10至2025-03-09，过期（2025-03-10起）（pull-certificate 3/0/15，送达2026-04-15T…，数据时间2026-04-01T…）；原因：有效期不在所查期间内
    规则：当月任一日持有有效残疾人证或残疾军人证（一至八级） [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    政策条目：certificate_month 2013-01-01起 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    政策条目：weights 2013-01-01起 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
"#);
    insta::assert_snapshot!(told(E3, "360013197001051332", "2025-04").await, @r#"
Ⅹ 残疾证状态 certificate: expired (ended before the month)
    rests on: 残疾人证 level 3 from 2015-03-10 to 2025-03-09, expired since 2025-03-10 (pull-certificate 3/0/15, delivered 2026-04-15T…, stamped 2026-04-01T…)
    passed over: 残疾人证 level 3 from 2025-06-01 to 2035-05-31, valid (pull-certificate 3/0/16, delivered 2026-04-15T…, stamped 2026-04-01T…); because it is not in force on any day asked for
    rule: a certificate is in force on some day of the month [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    policy: certificate_month from 2013-01-01 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    policy: weights from 2013-01-01 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    to do: renew the certificate; 2025-04 counts only if the register shows one in force then
    by: the federation that issues the certificate, the employer's handler
    evidence: the original 残疾人证 that covers 2025-04, shown at the counter
Ⅹ 残疾证状态：已过期
    依据：残疾人证3级，2015-03-10至2025-03-09，过期（2025-03-10起）（pull-certificate 3/0/15，送达2026-04-15T…，数据时间2026-04-01T…）
    未采用：残疾人证3级，2025-06-01至2035-05-31，有效（pull-certificate 3/0/16，送达2026-04-15T…，数据时间2026-04-01T…）；原因：有效期不在所查期间内
    规则：当月任一日持有有效残疾人证或残疾军人证（一至八级） [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    政策条目：certificate_month 2013-01-01起 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    政策条目：weights 2013-01-01起 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    处理办法：办理换证；登记的有效期覆盖2025-04才计入
    由谁办理：残联残疾人证核发部门、单位经办人
    证明材料：有效期覆盖2025-04的残疾人证原件，到窗口查验
"#);
    insta::assert_snapshot!(told(E3, "360014199905011443", "2025-01").await, @r#"
Ⅹ 残疾证状态 certificate: not_yet_valid (begins after the month)
    rests on: 残疾人证 level 3 from 2025-05-20 to 2035-05-19, valid (pull-certificate 3/0/17, delivered 2026-04-15T…, stamped 2026-04-01T…)
    rule: a certificate is in force on some day of the month [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    policy: certificate_month from 2013-01-01 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    policy: weights from 2013-01-01 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    to do: 2025-01 lies before the certificate begins and does not count; if an earlier one existed, have the register completed
    by: the federation that issues the certificate, the employer's handler
    evidence: the original 残疾人证 that covers 2025-01, shown at the counter
Ⅹ 残疾证状态：尚未生效
    依据：残疾人证3级，2025-05-20至2035-05-19，有效（pull-certificate 3/0/17，送达2026-04-15T…，数据时间2026-04-01T…）
    规则：当月任一日持有有效残疾人证或残疾军人证（一至八级） [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    政策条目：certificate_month 2013-01-01起 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    政策条目：weights 2013-01-01起 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    处理办法：2025-01早于证件起始日期，不计入；如有更早的证件，请补全登记
    由谁办理：残联残疾人证核发部门、单位经办人
    证明材料：有效期覆盖2025-01的残疾人证原件，到窗口查验
"#);
    insta::assert_snapshot!(told(E3, "360015197707071557", "2025-06").await, @r#"
Ⅹ 残疾证状态 certificate: cancelled (cancelled)
    rests on: 残疾人证 level 3 from 2018-02-01 to 2028-01-31, cancelled since 2025-05-01 (pull-certificate 3/0/18, delivered 2026-04-15T…, stamped 2026-04-01T…)
    rule: a certificate is in force on some day of the month [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    policy: certificate_month from 2013-01-01 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    policy: weights from 2013-01-01 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    to do: the certificate was cancelled (注销) and no later month counts; whoever disputes it asks the issuing federation to look again
    by: the federation that issues the certificate, federation staff
    evidence: the original 残疾人证 that covers 2025-06, shown at the counter
Ⅹ 残疾证状态：已注销
    依据：残疾人证3级，2018-02-01至2028-01-31，注销（2025-05-01起）（pull-certificate 3/0/18，送达2026-04-15T…，数据时间2026-04-01T…）
    规则：当月任一日持有有效残疾人证或残疾军人证（一至八级） [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    政策条目：certificate_month 2013-01-01起 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    政策条目：weights 2013-01-01起 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    处理办法：证件已注销，此后月份不计入；有异议的向核发残联申请复核
    由谁办理：残联残疾人证核发部门、残联工作人员
    证明材料：有效期覆盖2025-06的残疾人证原件，到窗口查验
"#);
    insta::assert_snapshot!(told(E3, "36001619820202166X", "2025-11").await, @r#"
Ⅹ 残疾证状态 certificate: frozen (frozen)
    rests on: 残疾人证 level 3 from 2018-02-01 to 2028-01-31, frozen since 2025-09-10 (pull-certificate 3/0/19, delivered 2026-04-15T…, stamped 2026-04-01T…)
    rule: a certificate is in force on some day of the month [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    policy: certificate_month from 2013-01-01 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    policy: weights from 2013-01-01 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    to do: the certificate is frozen (冻结), mostly because it was not transferred after moving house: have it transferred and opened again
    by: the federation that issues the certificate, the employer's handler
    evidence: the original 残疾人证 that covers 2025-11, shown at the counter
Ⅹ 残疾证状态：已冻结
    依据：残疾人证3级，2018-02-01至2028-01-31，冻结（2025-09-10起）（pull-certificate 3/0/19，送达2026-04-15T…，数据时间2026-04-01T…）
    规则：当月任一日持有有效残疾人证或残疾军人证（一至八级） [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    政策条目：certificate_month 2013-01-01起 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    政策条目：weights 2013-01-01起 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    处理办法：证件已冻结（多因户籍迁移后未办理转移）：办理迁移并解除冻结
    由谁办理：残联残疾人证核发部门、单位经办人
    证明材料：有效期覆盖2025-11的残疾人证原件，到窗口查验
"#);
    insta::assert_snapshot!(told(E3, "360018199103151888", "2025-01").await, @r#"
Ⅹ 残疾证状态 certificate: none (no certificate)
    looked for: any certificate of the person that counts, of either kind
    in: pull-certificate: last whole pull on 2026-04-15
    rule: a certificate is in force on some day of the month [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    policy: certificate_month from 2013-01-01 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    policy: weights from 2013-01-01 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    to do: no certificate that counts is known under this ID number: check the ID number; if there is one, have the register completed
    by: the employer's handler, the federation that issues the certificate
    evidence: the original 残疾人证 that covers 2025-01, shown at the counter
Ⅹ 残疾证状态：无证件
    已查找：该人员的任何可计入证件（残疾人证或残疾军人证）
    来源：pull-certificate：最近一次完整拉取2026-04-15
    规则：当月任一日持有有效残疾人证或残疾军人证（一至八级） [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    政策条目：certificate_month 2013-01-01起 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    政策条目：weights 2013-01-01起 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    处理办法：该身份证号下没有可计入的证件：核对身份证号；确有证件的，请补全登记
    由谁办理：单位经办人、残联残疾人证核发部门
    证明材料：有效期覆盖2025-01的残疾人证原件，到窗口查验
"#);
    insta::assert_snapshot!(told(E3, "360020197404042012", "2025-01").await, @r#"
Ⅹ 残疾证状态 certificate: none (no certificate)
    passed over: 残疾军人证 level 9 from 2010-08-01 without end, valid (pull-certificate 3/0/23, delivered 2026-04-15T…, stamped 2026-04-01T…); because soldiers' levels 9 and 10 are not counted
    looked for: any certificate of the person that counts, of either kind
    in: pull-certificate: last whole pull on 2026-04-15
    rule: a certificate is in force on some day of the month [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    policy: certificate_month from 2013-01-01 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    policy: weights from 2013-01-01 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    to do: no certificate that counts is known under this ID number: check the ID number; if there is one, have the register completed
    by: the employer's handler, the federation that issues the certificate
    evidence: the original 残疾人证 that covers 2025-01, shown at the counter
Ⅹ 残疾证状态：无证件
    未采用：残疾军人证9级，2010-08-01长期，有效（pull-certificate 3/0/23，送达2026-04-15T…，数据时间2026-04-01T…）；原因：残疾军人证九级、十级不计入
    已查找：该人员的任何可计入证件（残疾人证或残疾军人证）
    来源：pull-certificate：最近一次完整拉取2026-04-15
    规则：当月任一日持有有效残疾人证或残疾军人证（一至八级） [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    政策条目：certificate_month 2013-01-01起 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    政策条目：weights 2013-01-01起 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
    处理办法：该身份证号下没有可计入的证件：核对身份证号；确有证件的，请补全登记
    由谁办理：单位经办人、残联残疾人证核发部门
    证明材料：有效期覆盖2025-01的残疾人证原件，到窗口查验
"#);
    insta::assert_snapshot!(told(E8, "360033198707273367", "2025-01").await, @r#"
… 残疾证状态 certificate: pending (not known yet)
    pending: a record that may be the missing one was refused and lies in quarantine; waiting since 2026-04-15
    refused: record 9 in quarantine, unknown_value (status), pull-certificate 3/0/36, delivered 2026-04-15T…
    to do: nothing for the employer: staff look at the refused record, have it put right at the agency, replay or discard it
    by: federation staff, the agency that delivers the data
    evidence: no document is asked for
    rule: a certificate is in force on some day of the month [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    policy: certificate_month from 2013-01-01 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    policy: weights from 2013-01-01 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
… 残疾证状态：待到数
    待到数：可能对应的数据被拒收，正在隔离待处理；自2026-04-15起等待
    被拒数据：隔离记录9，unknown_value (status)，pull-certificate 3/0/36，送达2026-04-15T…
    处理办法：单位无需处理：由残联核查被拒数据，联系提供部门更正后重放，或作废
    由谁办理：残联工作人员、数据提供部门
    证明材料：无需提交材料
    规则：当月任一日持有有效残疾人证或残疾军人证（一至八级） [残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24]
    政策条目：certificate_month 2013-01-01起 (Decision of this system: the user manual of Jiangxi tests the year, its grid shows months; no text decides)
    政策条目：weights 2013-01-01起 (残联厅函〔2022〕63号 item 1(1); 财税〔2015〕72号 art. 4 (levels 1 to 8), secondary copy; earlier years by the same rule, unverified)
"#);
}

#[expect(clippy::too_many_lines, reason = "the lines are what is told of each code")]
#[tokio::test(flavor = "multi_thread")]
async fn age_and_contract_are_told_by_their_dates() {
    let day = province("explain_terms").await;
    let age = async |id, month| told(&day, Check::Age, E7, id, month).await;
    let contract = async |employer, id, month| told(&day, Check::Contract, employer, id, month).await;
    insta::assert_snapshot!(age("360029196505012915", "2025-06").await, @r#"
√ 是否就业年龄段 age: pass (passes)
    found: of working age from 1981-05-01, retirement age reached on 2025-07-01
    rule: the youngest age is reached on the last day of the month, the retirement age not yet on its first [劳动法 art. 15; 关于实施渐进式延迟法定退休年龄的决定 (2024-09-13) art. 1]
    policy: minimum_age_years from 2013-01-01 (劳动法 art. 15, from memory; bounds of 16 years as in Shaanxi's certification notice of 2025)
    policy: retirement from 2013-01-01 (全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定 (2024-09-13), in force from 2025-01-01)
√ 是否就业年龄段：通过
    实际：1981-05-01满最低就业年龄，2025-07-01达到法定退休年龄
    规则：当月最后一日已满最低就业年龄，且当月1日尚未达到法定退休年龄 [劳动法 art. 15; 关于实施渐进式延迟法定退休年龄的决定 (2024-09-13) art. 1]
    政策条目：minimum_age_years 2013-01-01起 (劳动法 art. 15, from memory; bounds of 16 years as in Shaanxi's certification notice of 2025)
    政策条目：retirement 2013-01-01起 (全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定 (2024-09-13), in force from 2025-01-01)
"#);
    insta::assert_snapshot!(age("360029196505012915", "2025-07").await, @r#"
Ⅹ 是否就业年龄段 age: over_age (retirement age reached)
    found: of working age from 1981-05-01, retirement age reached on 2025-07-01
    rule: the youngest age is reached on the last day of the month, the retirement age not yet on its first [劳动法 art. 15; 关于实施渐进式延迟法定退休年龄的决定 (2024-09-13) art. 1]
    policy: minimum_age_years from 2013-01-01 (劳动法 art. 15, from memory; bounds of 16 years as in Shaanxi's certification notice of 2025)
    policy: retirement from 2013-01-01 (全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定 (2024-09-13), in force from 2025-01-01)
    to do: the retirement age is reached: if the post has another one (women 50 or 55), correct the placement; agreed late retirement goes to a reviewer
    by: the employer's handler, federation staff
    evidence: proof of the post's retirement age, or the written agreement on late retirement with the insurance statement of these months
Ⅹ 是否就业年龄段：已达退休年龄
    实际：1981-05-01满最低就业年龄，2025-07-01达到法定退休年龄
    规则：当月最后一日已满最低就业年龄，且当月1日尚未达到法定退休年龄 [劳动法 art. 15; 关于实施渐进式延迟法定退休年龄的决定 (2024-09-13) art. 1]
    政策条目：minimum_age_years 2013-01-01起 (劳动法 art. 15, from memory; bounds of 16 years as in Shaanxi's certification notice of 2025)
    政策条目：retirement 2013-01-01起 (全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定 (2024-09-13), in force from 2025-01-01)
    处理办法：已达到法定退休年龄：如岗位适用其他退休年龄（女50或55周岁），更正安置信息；弹性延迟退休的由残联审核
    由谁办理：单位经办人、残联工作人员
    证明材料：岗位适用退休年龄的证明，或弹性延迟退休书面协议及相应月份参保证明
"#);
    insta::assert_snapshot!(age("360030200908313020", "2025-07").await, @r#"
Ⅹ 是否就业年龄段 age: under_age (too young)
    found: of working age from 2025-08-31, retirement age reached on 2067-08-31
    rule: the youngest age is reached on the last day of the month, the retirement age not yet on its first [劳动法 art. 15; 关于实施渐进式延迟法定退休年龄的决定 (2024-09-13) art. 1]
    policy: minimum_age_years from 2013-01-01 (劳动法 art. 15, from memory; bounds of 16 years as in Shaanxi's certification notice of 2025)
    policy: retirement from 2013-01-01 (全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定 (2024-09-13), in force from 2025-01-01)
    to do: a month before the 16th birthday never counts; if the ID number is wrong, enter the right one
    by: the employer's handler
    evidence: ID card or household register with the date of birth
Ⅹ 是否就业年龄段：未到就业年龄
    实际：2025-08-31满最低就业年龄，2067-08-31达到法定退休年龄
    规则：当月最后一日已满最低就业年龄，且当月1日尚未达到法定退休年龄 [劳动法 art. 15; 关于实施渐进式延迟法定退休年龄的决定 (2024-09-13) art. 1]
    政策条目：minimum_age_years 2013-01-01起 (劳动法 art. 15, from memory; bounds of 16 years as in Shaanxi's certification notice of 2025)
    政策条目：retirement 2013-01-01起 (全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定 (2024-09-13), in force from 2025-01-01)
    处理办法：未满16周岁的月份不计入；如身份证号有误，请更正
    由谁办理：单位经办人
    证明材料：居民身份证或户口簿（体现出生日期）
"#);
    insta::assert_snapshot!(contract(E5, "360024200002292457", "2025-03").await, @r#"
√ 合同状态 contract: pass (passes)
    rests on: labour contract from 2025-03-01 to 2026-02-28
    passed over: labour contract from 2024-02-29 to 2025-02-27; because it is not in force on any day asked for
    rule: a labour contract of a year or more, or a place on the establishment, is in force on some day of the month [财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3]
√ 合同状态：通过
    依据：劳动合同2025-03-01至2026-02-28
    未采用：劳动合同2024-02-29至2025-02-27；原因：有效期不在所查期间内
    规则：当月有一年以上期限的有效劳动合同，或为在编人员 [财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3]
"#);
    insta::assert_snapshot!(contract(E5, "360025199606162566", "2025-03").await, @r#"
Ⅹ 合同状态 contract: too_short (agreed for less than a year)
    rests on: labour contract from 2025-03-01 to 2026-02-27
    rule: a labour contract of a year or more, or a place on the establishment, is in force on some day of the month [财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3]
    to do: the contract was agreed for less than a year: if it was extended or replaced by one agreement of a year or more, enter that
    by: the employer's handler
    evidence: labour contract with the employer of a year or more that covers 2025-03; for an establishment post the staffing document (编制)
Ⅹ 合同状态：合同期限不满一年
    依据：劳动合同2025-03-01至2026-02-27
    规则：当月有一年以上期限的有效劳动合同，或为在编人员 [财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3]
    处理办法：合同约定期限不满一年：如已续签或变更为一年以上，请登记该合同
    由谁办理：单位经办人
    证明材料：与用人单位签订、期限一年以上且覆盖2025-03的劳动合同；在编人员提供编制证明
"#);
    insta::assert_snapshot!(contract(E5, "360027198308182786", "2025-10").await, @r#"
Ⅹ 合同状态 contract: not_covered (no contract covers the month)
    passed over: labour contract from 2025-01-01 to 2026-12-31, terminated on 2025-09-10; because it is not in force on any day asked for
    passed over: labour contract from 2025-12-31 open-ended; because it is not in force on any day asked for
    looked for: a contract entered for the placement of 2025 that is in force on some day of 2025-10
    rule: a labour contract of a year or more, or a place on the establishment, is in force on some day of the month [财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3]
    to do: no contract entered covers 2025-10: if there was one, enter it; else the month does not count
    by: the employer's handler
    evidence: labour contract with the employer of a year or more that covers 2025-10; for an establishment post the staffing document (编制)
Ⅹ 合同状态：合同未覆盖当月
    未采用：劳动合同2025-01-01至2026-12-31，2025-09-10解除；原因：有效期不在所查期间内
    未采用：劳动合同2025-12-31无固定期限；原因：有效期不在所查期间内
    已查找：2025年度安置信息中2025-10有效的合同
    规则：当月有一年以上期限的有效劳动合同，或为在编人员 [财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3]
    处理办法：登记的合同均不覆盖2025-10：如确有合同请补充登记，否则该月不计入
    由谁办理：单位经办人
    证明材料：与用人单位签订、期限一年以上且覆盖2025-10的劳动合同；在编人员提供编制证明
"#);
    insta::assert_snapshot!(contract(E5, "360026199412242679", "2025-01").await, @r#"
Ⅹ 合同状态 contract: none (no contract)
    looked for: a contract entered for the placement of 2025 that is in force on some day of 2025-01
    rule: a labour contract of a year or more, or a place on the establishment, is in force on some day of the month [财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3]
    to do: no contract is entered: enter the labour contract, or the place on the establishment
    by: the employer's handler
    evidence: labour contract with the employer of a year or more that covers 2025-01; for an establishment post the staffing document (编制)
Ⅹ 合同状态：无合同
    已查找：2025年度安置信息中2025-01有效的合同
    规则：当月有一年以上期限的有效劳动合同，或为在编人员 [财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3]
    处理办法：未登记合同：请登记劳动合同或在编信息
    由谁办理：单位经办人
    证明材料：与用人单位签订、期限一年以上且覆盖2025-01的劳动合同；在编人员提供编制证明
"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filing_is_told_with_its_province_and_status() {
    let day = province("explain_filings").await;
    let told = async |id| told(&day, Check::Dispatch, E9, id, "2025-01").await;
    insta::assert_snapshot!(told("360034198211113470").await, @r#"
√ 劳务派遣备案 dispatch: pass (passes)
    rests on: filing for province 36 from 2025-06-01 to 2027-12-31, approved (pull-dispatch 4/0/3, delivered 2026-04-15T…, stamped 2026-04-01T…)
    passed over: filing for province 36 from 2023-01-01 to 2024-12-31, revoked (pull-dispatch 4/0/2, delivered 2026-04-15T…, stamped 2026-04-01T…); because it is not in force on any day asked for
    rule: the dispatch company of a dispatched person has an approved filing for the employer's province, in force on the day of the check [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
√ 劳务派遣备案：通过
    依据：省份代码36的备案，2025-06-01至2027-12-31，已通过（pull-dispatch 4/0/3，送达2026-04-15T…，数据时间2026-04-01T…）
    未采用：省份代码36的备案，2023-01-01至2024-12-31，已撤销（pull-dispatch 4/0/2，送达2026-04-15T…，数据时间2026-04-01T…）；原因：有效期不在所查期间内
    规则：被派遣人员的劳务派遣单位在用人单位所在省备案通过，且核验当日有效 [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
"#);
    insta::assert_snapshot!(told("360035198404143584").await, @r#"
Ⅹ 劳务派遣备案 dispatch: not_in_force (filing not in force)
    rests on: filing for province 36 from 2024-01-01 to 2026-12-31, revoked (pull-dispatch 4/0/5, delivered 2026-04-15T…, stamped 2026-04-01T…)
    rule: the dispatch company of a dispatched person has an approved filing for the employer's province, in force on the day of the check [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
    to do: the filing of 91369900MA4000D23F has ended, not begun or was revoked: file anew for this province, before the declaration
    by: the dispatch company, the employer's handler
    evidence: dispatch licence (劳务派遣经营许可证) and human resources licence of 91369900MA4000D23F; from another province also the proof of filing with this one
Ⅹ 劳务派遣备案：备案未生效或已失效
    依据：省份代码36的备案，2024-01-01至2026-12-31，已撤销（pull-dispatch 4/0/5，送达2026-04-15T…，数据时间2026-04-01T…）
    规则：被派遣人员的劳务派遣单位在用人单位所在省备案通过，且核验当日有效 [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
    处理办法：91369900MA4000D23F的备案已到期、未生效或被撤销：申报前在本省重新备案
    由谁办理：劳务派遣单位、单位经办人
    证明材料：91369900MA4000D23F的劳务派遣经营许可证、人力资源服务许可证；外省单位另附本省备案证明
"#);
    insta::assert_snapshot!(told("360036199101313698").await, @r#"
Ⅹ 劳务派遣备案 dispatch: not_approved (filing not approved)
    rests on: filing for province 36 from 2024-01-01 to 2026-12-31, rejected (pull-dispatch 4/0/6, delivered 2026-04-15T…, stamped 2026-04-01T…)
    rests on: filing for province 36 from 2025-01-01 to 2027-12-31, pending (pull-dispatch 4/0/7, delivered 2026-04-15T…, stamped 2026-04-01T…)
    rule: the dispatch company of a dispatched person has an approved filing for the employer's province, in force on the day of the check [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
    to do: the filing of 91369900MA4000D31A is pending or was rejected: complete it until it is approved, before the declaration
    by: the dispatch company, the employer's handler
    evidence: dispatch licence (劳务派遣经营许可证) and human resources licence of 91369900MA4000D31A; from another province also the proof of filing with this one
Ⅹ 劳务派遣备案：备案未通过审核
    依据：省份代码36的备案，2024-01-01至2026-12-31，不通过（pull-dispatch 4/0/6，送达2026-04-15T…，数据时间2026-04-01T…）
    依据：省份代码36的备案，2025-01-01至2027-12-31，待审核（pull-dispatch 4/0/7，送达2026-04-15T…，数据时间2026-04-01T…）
    规则：被派遣人员的劳务派遣单位在用人单位所在省备案通过，且核验当日有效 [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
    处理办法：91369900MA4000D31A的备案待审核或未通过：申报前补正并通过审核
    由谁办理：劳务派遣单位、单位经办人
    证明材料：91369900MA4000D31A的劳务派遣经营许可证、人力资源服务许可证；外省单位另附本省备案证明
"#);
    insta::assert_snapshot!(told("360037198802283702").await, @r#"
Ⅹ 劳务派遣备案 dispatch: not_filed (not filed)
    looked for: a filing of 91369900MA4000D4X2 for province 36, on 2026-04-15
    in: pull-dispatch: last whole pull on 2026-04-15
    rule: the dispatch company of a dispatched person has an approved filing for the employer's province, in force on the day of the check [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
    to do: 91369900MA4000D4X2 has no filing for this province: file on the national employment platform before the declaration
    by: the dispatch company, the employer's handler
    evidence: dispatch licence (劳务派遣经营许可证) and human resources licence of 91369900MA4000D4X2; from another province also the proof of filing with this one
Ⅹ 劳务派遣备案：未备案
    已查找：91369900MA4000D4X2在省级代码36的备案，2026-04-15有效
    来源：pull-dispatch：最近一次完整拉取2026-04-15
    规则：被派遣人员的劳务派遣单位在用人单位所在省备案通过，且核验当日有效 [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
    处理办法：91369900MA4000D4X2未在本省备案：申报前在全国残疾人就业服务平台办理备案
    由谁办理：劳务派遣单位、单位经办人
    证明材料：91369900MA4000D4X2的劳务派遣经营许可证、人力资源服务许可证；外省单位另附本省备案证明
"#);
    insta::assert_snapshot!(told("360038199505253815").await, @r#"
Ⅹ 劳务派遣备案 dispatch: not_filed (not filed)
    passed over: filing for province 43 from 2024-01-01 to 2027-12-31, approved (pull-dispatch 4/0/8, delivered 2026-04-15T…, stamped 2026-04-01T…); because it is for another province
    looked for: a filing of 91369900MA4000D582 for province 36, on 2026-04-15
    in: pull-dispatch: last whole pull on 2026-04-15
    rule: the dispatch company of a dispatched person has an approved filing for the employer's province, in force on the day of the check [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
    to do: 91369900MA4000D582 has no filing for this province: file on the national employment platform before the declaration
    by: the dispatch company, the employer's handler
    evidence: dispatch licence (劳务派遣经营许可证) and human resources licence of 91369900MA4000D582; from another province also the proof of filing with this one
Ⅹ 劳务派遣备案：未备案
    未采用：省份代码43的备案，2024-01-01至2027-12-31，已通过（pull-dispatch 4/0/8，送达2026-04-15T…，数据时间2026-04-01T…）；原因：备案省份不是用人单位所在省
    已查找：91369900MA4000D582在省级代码36的备案，2026-04-15有效
    来源：pull-dispatch：最近一次完整拉取2026-04-15
    规则：被派遣人员的劳务派遣单位在用人单位所在省备案通过，且核验当日有效 [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
    处理办法：91369900MA4000D582未在本省备案：申报前在全国残疾人就业服务平台办理备案
    由谁办理：劳务派遣单位、单位经办人
    证明材料：91369900MA4000D582的劳务派遣经营许可证、人力资源服务许可证；外省单位另附本省备案证明
"#);
    day.harness.clock(NaiveDate::from_ymd_opt(2026, 4, 30).expect("a date"), "01:00").await;
    insta::assert_snapshot!(told("360037198802283702").await, @r#"
… 劳务派遣备案 dispatch: pending (not known yet)
    pending: the register was not pulled lately, so that what is not there may be; waiting since 2026-04-23
    waits for: pull-dispatch: last whole pull on 2026-04-15, late since 2026-04-23
    to do: nothing for the employer: the source was not pulled lately, staff pull it again
    by: federation staff, the agency that delivers the data
    evidence: no document is asked for
    rule: the dispatch company of a dispatched person has an approved filing for the employer's province, in force on the day of the check [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
… 劳务派遣备案：待到数
    待到数：登记数据较久未更新，缺少的记录可能已存在；自2026-04-23起等待
    等待来源：pull-dispatch：最近一次完整拉取2026-04-15，自2026-04-23起逾期
    处理办法：单位无需处理：数据较久未更新，由残联重新拉取
    由谁办理：残联工作人员、数据提供部门
    证明材料：无需提交材料
    规则：被派遣人员的劳务派遣单位在用人单位所在省备案通过，且核验当日有效 [财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1]
"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_not_due_says_when_it_is_and_asks_for_nothing() {
    let day = Day::begin("explain_not_due").await;
    day.deliver_wages("wage-1.ndjson");
    day.harness.clock(NaiveDate::from_ymd_opt(2026, 1, 10).expect("a date"), "01:00").await;
    day.pull_all().await;
    insta::assert_snapshot!(told(&day, Check::Pension, E4, "360022198005052237", "2025-12").await, @r#"
√ 社保参保状态 pension: pass (passes)
    rests on: employee insurance through the employer 91369900MA1000A454, paid (pull-pension 4/0/275, delivered 2026-01-10T…, stamped 2026-03-05T…)
    rule: the unit named paid employee pension insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
√ 社保参保状态：通过
    依据：本单位91369900MA1000A454职工保险，已缴（pull-pension 4/0/275，送达2026-01-10T…，数据时间2026-03-05T…）
    规则：登记的缴费单位已为其缴纳当月职工养老保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
"#);
    insta::assert_snapshot!(told(&day, Check::Medical, E2, "360011197901201110", "2025-12").await, @r#"
… 医保参保状态 medical: pending (not known yet)
    pending: 2025-12 is not due yet: it counts as delivered by a whole pull of pull-medical on or after 2026-01-30; waiting since 2026-01-01
    waits for: pull-medical: last whole pull on 2026-01-10, complete through 2025-11
    to do: nothing until 2026-01-30: the month turns by itself when the source has delivered
    evidence: no document is asked for
    rule: the unit named paid employee medical insurance for the month, in time or afterwards [联网认证系统用户手册 3.2]
    policy: back_payment from 2013-01-01 (Decision of this system: no national or provincial text on 补缴 was found)
… 医保参保状态：待到数
    待到数：2025-12数据尚未到期：pull-medical在2026-01-30或之后完整拉取后视为到齐；自2026-01-01起等待
    等待来源：pull-medical：最近一次完整拉取2026-01-10，数据完整至2025-11
    处理办法：2026-01-30前无需处理：数据到齐后自动更新
    证明材料：无需提交材料
    规则：登记的缴费单位已为其缴纳当月职工医疗保险（含补缴） [联网认证系统用户手册 3.2]
    政策条目：back_payment 2013-01-01起 (Decision of this system: no national or provincial text on 补缴 was found)
"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_was_never_pulled_says_so_and_since_when_it_could_have_been() {
    let day = Day::begin("explain_never_pulled").await;
    let told = told(&day, Check::Certificate, E2, "360011197901201110", "2025-12").await;
    for line in [
        "    pending: the register was never pulled whole, so that nobody knows what it holds; waiting since 2026-04-15\n",
        "    waits for: pull-certificate: never pulled whole, set up on 2026-04-15\n",
        "    to do: nothing for the employer: the source was never pulled whole, staff have it pulled\n",
        "    待到数：登记数据从未完整拉取，尚不知有无记录；自2026-04-15起等待\n",
        "    等待来源：pull-certificate：2026-04-15接入，从未完整拉取\n",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_conflict_the_employer_hears_that_and_staff_hear_who() {
    let day = province("explain_conflict").await;
    let reading = &day.harness.policy;
    let id = "360008198612120898";
    for (reveal, sees) in [(false, false), (true, true)] {
        let explanation = explained(&day, reading, E1, id, "2025-03", reveal).await;
        assert!(explanation.conflict && !explanation.passed);
        let all = [Language::English, Language::Chinese].map(|language| text(&explanation, language)).concat();
        let json = serde_json::to_string(&explanation).expect("JSON");
        assert_eq!((all.contains(E2), json.contains(E2)), (sees, sees));
        assert_eq!((all.contains(id), json.contains(id)), (sees, sees), "the ID number");
    }
    let explanation = explained(&day, reading, E1, id, "2025-03", true).await;
    let conflict = explanation.conflict_evidence.expect("a conflict");
    let both = [Language::English, Language::Chinese].map(|language| conflict_text(&conflict, language)).join("\n");
    insta::assert_snapshot!(both, @r#"
Ⅹ conflict: another employer claims this month or would count it too
    other employer: 91369900MA1000A29E, would pass too
    rule: a person's month counts for one employer only: the holder of the claim, else none while two would pass [残联厅函〔2022〕63号 item 1(3)]
    to do: 2025-03 counts for one employer only: the one that signed the labour contract; staff decide
    by: the employer's handler, federation staff
    evidence: labour contract in force in 2025-03
Ⅹ 重复申报：另有单位已认定该月或同样可以计入该月
    另一单位：91369900MA1000A29E, 同样通过
    规则：同一人同一月份只能由一家单位计入：已被认定的归认定单位，均未认定且均通过的待残联裁定 [残联厅函〔2022〕63号 item 1(3)]
    处理办法：2025-03只能由一家单位计入：以签订劳动合同的单位为准，由残联认定
    由谁办理：单位经办人、残联工作人员
    证明材料：2025-03有效的劳动合同
"#);
    let unmarked = explained(&day, reading, E1, id, "2025-07", true).await;
    assert!(unmarked.passed && unmarked.conflict_evidence.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_units_wage_is_named_and_counted_for_staff_only() {
    let day = province("explain_stranger").await;
    let reading = &day.harness.policy;
    for reveal in [false, true] {
        let explanation = explained(&day, reading, E1, "360005198809090558", "2025-11", reveal).await;
        let wage = &explanation.checks[0];
        assert_eq!((wage.code, wage.passed_over.len()), ("below_minimum", 1));
        let json = serde_json::to_string(&wage.passed_over).expect("JSON");
        assert_eq!(json.contains(STRANGER), reveal, "{json}");
        assert_eq!(json.contains("3000"), reveal, "{json}");
        assert!(json.contains("\"why\":\"another_unit\""), "{json}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_explanation_begins_with_the_verdict_and_has_every_check() {
    let day = province("explain_whole").await;
    let reading = &day.harness.policy;
    let explanation = explained(&day, reading, E1, "360001198005050117", "2025-05", false).await;
    // persons are numbered in the order of their keyed hashes
    let number = format!("person {} ", explanation.person_id.0);
    let told = steady(&text(&explanation, Language::English), reading).replace(&number, "person N ");
    let heads: Vec<&str> = told.lines().filter(|line| !line.starts_with("    ")).collect();
    insta::assert_snapshot!(heads.join("\n"), @r#"
2025-05 91369900MA1000A10H person N **************0117: counts, weight 1
as of 2026-04-15, publish 11, policy [policy]
√ 工资信息 wage: pass (passes)
√ 社保参保状态 pension: pass (passes)
√ 医保参保状态 medical: pass (passes)
√ 残疾证状态 certificate: pass (passes)
√ 是否就业年龄段 age: pass (passes)
√ 合同状态 contract: pass (passes)
– 劳务派遣备案 dispatch: not_applicable (not dispatched)
"#);
    let json = serde_json::to_value(&explanation).expect("JSON");
    let check = &json["checks"][0];
    assert_eq!((check["check"].as_str(), check["code"].as_str()), (Some("wage"), Some("pass")));
    assert_eq!(check["says"]["zh"], "通过");
    assert_eq!(check["basis"]["policy"][0]["list"], "minimum_wage");
    assert_eq!(check["basis"]["policy"][0]["from"], "2024-04-01");
    assert_eq!(check["rests_on"][0]["source"], "pull-wage");
    assert_eq!(json["id_number"], "**************0117");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_fail_soon_is_foreseen_person_by_person() {
    let day = province("explain_foresight").await;
    let code = Uscc::parse(E5).expect("a code");
    let unit = day.harness.store.find_unit(&code).await.expect("an answer").expect("a unit");
    let ahead = look_ahead(&day.harness.store, &day.harness.policy, unit, None, 90).await.expect("an answer");
    assert_eq!(ahead.year, 2025, "nobody is placed in 2026 yet");
    let dissolved = person(&day, "360027198308182786").await;
    let of_dissolved = ahead.persons.iter().find(|one| one.person == dissolved).expect("a gap");
    let gap =
        Foreseen::ContractGap { first: "2025-10".parse().expect("month"), last: "2025-11".parse().expect("month") };
    assert_eq!(of_dissolved.foreseen, [gap]);
}
