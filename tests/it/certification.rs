//! Documents of certifications: issued after acceptance, the same for ever, checked by whoever holds them, and silent about persons.

use renzheng::declare::certification::{DocumentError, Issued, Names, check, issue};
use renzheng::declare::settle::settle;
use renzheng::declare::{amend, corrections, withdraw};
use renzheng::domain::access::{Actor, Denied};
use renzheng::domain::certification_document::Validity;
use renzheng::domain::message::MessageKind;
use renzheng::push::reconcile::refresh;
use renzheng::web::pages::certification_page;
use serde_json::{Value, json};

use crate::declaring::{SCHOOL, Scene, YEAR, amendment_approval, approval, change, employer, supervisor, withdrawal};
use crate::runs::{renzheng_on, say};
use crate::website::Website;

async fn document(scene: &Scene, actor: &Actor, version: Option<u32>, names: Names) -> Result<Issued, DocumentError> {
    let declaring = scene.declaring(SCHOOL).await;
    issue(scene.store(), &scene.day.harness.policy.policy, actor, declaring, version, names).await
}

async fn accepted(name: &str) -> (Scene, Actor) {
    let scene = Scene::begin(name).await;
    let own = employer(scene.declaring(SCHOOL).await.employer);
    scene.complete(SCHOOL).await.expect("completed");
    scene.push().await;
    (scene, own)
}

async fn audited(scene: &Scene, action: &str) -> i64 {
    let mut connection = scene.day.harness.connection().await;
    sqlx::query_scalar("select count(*) from audit where action = $1")
        .bind(action)
        .fetch_one(&mut connection)
        .await
        .expect("a count")
}

/// Words and numbers of kind and level, as our own programs write them. Only certificates have them.
fn assert_silent(text: &str) {
    for word in [
        "肢体",
        "视力",
        "听力",
        "言语",
        "智力",
        "精神",
        "多重",
        "残疾等级",
        "残疾类别",
        "level",
        "category",
        "一级",
        "二级",
        "三级",
        "四级",
    ] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_issued_after_acceptance_and_stays_what_it_was() {
    let scene = Scene::begin("document_road").await;
    let own = employer(scene.declaring(SCHOOL).await.employer);
    let early = document(&scene, &own, None, Names::Without).await.expect_err("nothing is declared");
    assert_eq!(early.code(), Some("not_accepted"));
    let completed = scene.complete(SCHOOL).await.expect("completed");
    let early = document(&scene, &own, None, Names::Without).await.expect_err("not accepted yet");
    assert_eq!(early.code(), Some("not_accepted"));
    scene.push().await;
    let first = document(&scene, &own, None, Names::Without).await.expect("a document");
    assert_eq!(first.document.certification_number, completed.certification_number);
    assert_eq!((first.document.version, first.validity), (1, Validity::InForce));
    assert_eq!(first.document.months.iter().sum::<u32>(), first.document.weighted_person_months);
    assert_eq!(first.document.weighted_person_months, completed.weighted_person_months);
    assert_eq!(first.document.employer_name, "贵溪市例五中学");
    assert_eq!(first.document.issued_by, "贵溪市残疾人联合会");
    assert_eq!(audited(&scene, "issue_document").await, 1);
    // seen again, by somebody else, at another time
    scene.clock("2026-06-01", "08:00:00").await;
    let again = document(&scene, &supervisor(), Some(1), Names::Without).await.expect("the document");
    assert_eq!(
        (&again.document, &again.check_code, &again.issued_at),
        (&first.document, &first.check_code, &first.issued_at)
    );
    assert_eq!(audited(&scene, "issue_document").await, 1, "issued once");
    // another's is not found
    let other = employer(scene.declaring(crate::declaring::FACTORY).await.employer);
    let refused = document(&scene, &other, None, Names::Without).await.expect_err("another's");
    assert!(matches!(refused, DocumentError::Denied(Denied::NotFound)));
    let missing = document(&scene, &own, Some(7), Names::Without).await.expect_err("no such version");
    assert_eq!(missing.code(), Some("not_in_force"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replaced_or_withdrawn_says_so() {
    let (scene, own) = accepted("document_replaced").await;
    let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
    let policy = &scene.day.harness.policy.policy;
    let first = document(&scene, &own, None, Names::Without).await.expect("a document");
    let months = store.list_declared_months(declaring.employer, YEAR as i16, 1).await.expect("months");
    let (person, number) = (months[0].person, months[0].month.number());
    amend::ask(store, policy, &own, declaring, vec![change(person, number, false)]).await.expect("asked");
    amend::decide(store, policy, &supervisor(), declaring, &amendment_approval()).await.expect("approved");
    let meanwhile = document(&scene, &own, None, Names::Without).await.expect("the old one stands");
    assert_eq!((meanwhile.document.version, meanwhile.validity), (1, Validity::InForce));
    scene.push().await;
    let second = document(&scene, &own, None, Names::Without).await.expect("a document");
    assert_eq!((second.document.version, second.validity), (2, Validity::InForce));
    assert_ne!(second.check_code, first.check_code);
    let replaced = document(&scene, &own, Some(1), Names::Without).await.expect("still there");
    assert_eq!((&replaced.document, replaced.validity), (&first.document, Validity::Replaced { by: 2 }));
    assert_eq!(replaced.check_code, first.check_code);
    assert!(certification_page(&replaced).contains("已被第2版替代，不再有效"));
    withdraw::ask(store, &own, declaring, &withdrawal(false)).await.expect("asked");
    withdraw::decide(store, &supervisor(), declaring, &approval(None)).await.expect("approved");
    scene.push().await;
    let withdrawn = document(&scene, &own, Some(2), Names::Without).await.expect("still there");
    assert_eq!(withdrawn.validity, Validity::Withdrawn);
    assert!(certification_page(&withdrawn).contains("已撤回，不再有效"));
    assert_eq!(document(&scene, &own, None, Names::Without).await.expect_err("none").code(), Some("not_accepted"));
    let found = check(store, &withdrawn.document.certification_number, &withdrawn.check_code).await.expect("looked");
    assert_eq!(found.expect("found").validity, Validity::Withdrawn);
}

/// A supervisor follows the department, which holds it otherwise.
async fn settled(scene: &Scene) {
    refresh(scene.store(), &scene.client, SCHOOL, YEAR as i16).await.expect("looked at");
    settle(scene.store(), &supervisor(), scene.declaring(SCHOOL).await, "spoken with").await.expect("settled");
}

fn heard_last(scene: &Scene) -> String {
    scene.department.heard().pop().expect("a message").0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_department_took_back_says_so_and_brings_nothing_back_into_force() {
    let (scene, own) = accepted("document_revoked").await;
    let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
    let policy = &scene.day.harness.policy.policy;
    document(&scene, &own, None, Names::Without).await.expect("a document");
    let months = store.list_declared_months(declaring.employer, YEAR as i16, 1).await.expect("months");
    let (person, number) = (months[0].person, months[0].month.number());
    amend::ask(store, policy, &own, declaring, vec![change(person, number, false)]).await.expect("asked");
    amend::decide(store, policy, &supervisor(), declaring, &amendment_approval()).await.expect("approved");
    scene.push().await;
    let second = document(&scene, &own, None, Names::Without).await.expect("a document");
    scene.department.reject_after_all(&heard_last(&scene), "E77").expect("rejected");
    settled(&scene).await;
    let of = async |version| document(&scene, &own, Some(version), Names::Without).await.expect("still there");
    let revoked = of(2).await;
    assert_eq!((&revoked.document, revoked.validity), (&second.document, Validity::Revoked));
    assert!(certification_page(&revoked).contains("已被税务部门退回或取消，不再有效"));
    assert_eq!(of(1).await.validity, Validity::Replaced { by: 2 }, "what was replaced does not come back");
    let found = check(store, &second.document.certification_number, &second.check_code).await.expect("looked");
    assert_eq!(found.expect("found").validity, Validity::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_department_took_out_of_force_by_itself_says_so() {
    let (scene, own) = accepted("document_lapsed").await;
    document(&scene, &own, None, Names::Without).await.expect("a document");
    scene.department.take_out_of_force(&heard_last(&scene)).expect("taken");
    settled(&scene).await;
    let lapsed = document(&scene, &own, Some(1), Names::Without).await.expect("still there");
    assert_eq!(lapsed.validity, Validity::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_rejected_and_accepted_again_gets_a_document_of_its_own() {
    let (scene, own) = accepted("document_again").await;
    let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
    let first = document(&scene, &own, None, Names::Without).await.expect("a document");
    scene.department.reject_after_all(&heard_last(&scene), "E77").expect("rejected");
    settled(&scene).await;
    corrections::reissue(store, &supervisor(), declaring, MessageKind::Certified).await.expect("issued again");
    scene.push().await;
    let again = document(&scene, &own, None, Names::Without).await.expect("a document");
    let number = &first.document.certification_number;
    assert_eq!((&again.document.certification_number, again.validity), (number, Validity::InForce));
    assert_ne!(again.document.receipt, first.document.receipt, "what the department says of it now");
    assert_ne!(again.check_code, first.check_code);
    let validity = async |code: &str| check(store, number, code).await.expect("looked").expect("found").validity;
    assert_eq!(validity(&again.check_code).await, Validity::InForce);
    assert_eq!(validity(&first.check_code).await, Validity::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn persons_are_named_only_when_asked_in_full_only_by_right_and_kind_and_level_never() {
    let (scene, own) = accepted("document_names").await;
    let without = document(&scene, &own, None, Names::Without).await.expect("a document");
    let masked = document(&scene, &own, None, Names::Masked).await.expect("a document");
    let refused = document(&scene, &own, None, Names::Full).await.expect_err("the employer may not reveal");
    assert!(matches!(refused, DocumentError::Denied(Denied::Forbidden { .. })));
    assert_eq!(audited(&scene, "reveal").await, 0);
    let full = document(&scene, &supervisor(), None, Names::Full).await.expect("a document");
    assert_eq!(audited(&scene, "reveal").await, 1);
    let names = full.names.clone().expect("names");
    assert_eq!(names.len() as u32, full.document.person_count);
    assert!(masked.names.as_ref().expect("names").iter().all(|name| name.contains('*')));
    assert_eq!(full.check_code, without.check_code, "names are no part of what is certified");
    for (issued, named) in [(&without, false), (&masked, false), (&full, true)] {
        let text = format!("{}{}", certification_page(issued), serde_json::to_string(issued).expect("JSON"));
        assert_silent(&text);
        assert!(names.iter().all(|name| text.contains(name.as_str()) == named));
        assert!(!text.contains("36000"), "no number of a person");
    }
    let found = check(scene.store(), &full.document.certification_number, &full.check_code).await.expect("looked");
    assert!(found.expect("found").names.is_none(), "the public is told no names");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_number_and_code_learns_what_is_printed_and_nobody_else_anything() {
    let (scene, own) = accepted("document_check").await;
    let issued = document(&scene, &own, None, Names::Masked).await.expect("a document");
    let (number, code) = (&issued.document.certification_number, &issued.check_code);
    let site = Website::of(scene.store()).await;
    let ask = async |body: Value| {
        let request = site.request("POST", "/api/v1/certification-checks").header("content-type", "application/json");
        site.ask(request.body(body.to_string())).await
    };
    let found = ask(json!({ "number": number, "code": code })).await;
    assert_eq!(found.status, 200, "{}", found.text);
    let told = found.json();
    assert_eq!((&told["employer_name"], &told["validity"]["status"]), (&json!("贵溪市例五中学"), &json!("in_force")));
    assert!(told.get("names").is_none() && told.get("check_code").is_none());
    let typed = code.to_lowercase().replace('-', " ");
    assert_eq!(ask(json!({ "number": format!(" {number} "), "code": typed })).await.status, 200, "as people type it");
    let wrong_code = ask(json!({ "number": number, "code": "0000-0000-0000" })).await;
    let wrong_number = ask(json!({ "number": "36-2025-99999999", "code": code })).await;
    let no_code = ask(json!({ "number": number, "code": "" })).await;
    assert_eq!(wrong_code.problem(), (404, "no_such_document".to_owned()));
    assert_eq!((&wrong_code.text, &wrong_code.text), (&wrong_number.text, &no_code.text), "told apart by nothing");
    assert_eq!(ask(json!({ "number": 7 })).await.problem(), (400, "bad_request".to_owned()));
    // the page for people
    let form = site.ask(site.request("GET", "/check")).await;
    assert_eq!((form.status, form.header("content-type")), (200, "text/html; charset=utf-8"));
    let fill = async |number: &str, code: &str| {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("number", number)
            .append_pair("code", code)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        site.ask(site.request("POST", "/check").header("content-type", kind).body(form)).await
    };
    let page = fill(number, code).await;
    assert!(page.status == 200 && page.text.contains("贵溪市例五中学"), "{}", page.text);
    assert_silent(&page.text);
    let hostile = fill("\"><script>alert(1)</script>", "x").await;
    assert_eq!(hostile.status, 404);
    assert!(!hostile.text.contains("<script"), "{}", hostile.text);
    // ten were asked by this address: the next waits
    fill(number, "x").await;
    let (mut waits, mut asked) = (None, 0);
    while waits.is_none() && asked < 10 {
        let answer = ask(json!({ "number": number, "code": code })).await;
        waits = (answer.status == 429).then_some(answer);
        asked += 1;
    }
    let waits = waits.expect("too many");
    assert_eq!(waits.problem(), (429, "too_many_requests".to_owned()));
    assert!(waits.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=7).contains(&seconds)));
    assert_eq!(fill(number, code).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_whole_in_itself_and_the_commands_say_the_same() {
    let (scene, own) = accepted("document_page").await;
    let issued = document(&scene, &own, None, Names::Without).await.expect("a document");
    let page = certification_page(&issued);
    for part in
        ["<html lang=\"zh-CN\">", "size: A4", "counter(page)", "<th scope=\"row\">", "<th scope=\"col\">", "<caption>"]
    {
        assert!(page.contains(part), "{part}");
    }
    for part in ["<script", "src=", "http://", "https://", "url("] {
        assert!(!page.contains(part), "{part}");
    }
    let masked = |text: String| {
        let text = text.replace(&issued.check_code, "[code]").replace(&issued.document.receipt, "[receipt]");
        let text = text
            .replace(&issued.document.accepted_at.to_rfc3339(), "[accepted]")
            .replace(&issued.issued_at, "[issued]");
        text.replace(&issued.document.certified_at.to_rfc3339(), "[certified]")
    };
    let harness = &scene.day.harness;
    let run = |arguments: &[&str]| masked(say(&mut renzheng_on(harness, arguments)));
    let whose = ["--employer", SCHOOL, "--year", "2025"];
    let show = |more: &[&str]| run(&[&["certification", "show"], &whose[..], more].concat());
    insta::assert_snapshot!(show(&[]), @r###"
exit 0
认定书编号 36-2025-00000001　version 1: in force (有效)
用人单位 贵溪市例五中学 123699001000000590　2025年
安置 3人　34人月（不加权）　34人月（加权）　2.83人（17/6）
各月加权人数 3 3 3 3 3 3 3 3 3 2 2 3
完成申报 [at]　税务部门接收 [at]　回执 [receipt]
认定机构 贵溪市残疾人联合会　首次出具 [at]
校验码 [code]
"###);
    insta::assert_snapshot!(show(&["--format", "json", "--names"]), @r###"
exit 0
{"certification_number":"36-2025-00000001","version":1,"employer_name":"贵溪市例五中学","uscc":"123699001000000590","year":2025,"person_count":3,"unweighted_person_months":34,"weighted_person_months":34,"months":[3,3,3,3,3,3,3,3,3,2,2,3],"placed_persons":{"fraction":"17/6","decimal":"2.83"},"certified_at":"[at]","accepted_at":"[at]","receipt":"[receipt]","issued_by":"贵溪市残疾人联合会","check_code":"[code]","validity":{"status":"in_force"},"issued_at":"[at]","names":["严*","迪*","魏*"]}
"###);
    let file = scene.folder.path().join("document.html");
    let path = file.to_str().expect("UTF-8");
    assert!(show(&["--html", path]).starts_with("exit 0"));
    assert_eq!(std::fs::read_to_string(&file).expect("written"), page);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600, "names stand on it");
    assert!(show(&["--html", path]).contains("must not be there yet"));
    let number = &issued.document.certification_number;
    assert!(run(&["certification", "check", number, &issued.check_code]).starts_with("exit 0"));
    insta::assert_snapshot!(run(&["certification", "check", number, "0000-0000-0000"]), @r###"
exit 2
renzheng: there is no document with this number and this code
"###);
    let body = page.split_once("<article").expect("an article").1;
    insta::assert_snapshot!(masked(body.replace("</tr>", "</tr>\n").replace("</p>", "</p>\n")), @r###"
 class="document"><header><h1>用人单位按比例安排残疾人就业年审认定书</h1><p class="number">编号：36-2025-00000001　第1版</p>
</header><table><caption>认定结果</caption><tbody><tr><th scope="row">用人单位名称</th><td>贵溪市例五中学</td></tr>
<tr><th scope="row">统一社会信用代码</th><td>123699001000000590</td></tr>
<tr><th scope="row">认定年度</th><td>2025年</td></tr>
<tr><th scope="row">安置残疾人数</th><td>3人</td></tr>
<tr><th scope="row">安置人月数（不加权）</th><td>34</td></tr>
<tr><th scope="row">安置人月数（加权）</th><td>34</td></tr>
<tr><th scope="row">已安置残疾人就业人数</th><td>2.83人（精确值 17/6）</td></tr>
<tr><th scope="row">完成申报日期</th><td>2026年4月15日</td></tr>
<tr><th scope="row">税务部门接收日期</th><td>2026年4月15日</td></tr>
<tr><th scope="row">税务部门回执编号</th><td>[receipt]</td></tr>
</tbody></table><table class="months"><caption>各月加权人数</caption><thead><tr><th scope="col">1月</th><th scope="col">2月</th><th scope="col">3月</th><th scope="col">4月</th><th scope="col">5月</th><th scope="col">6月</th><th scope="col">7月</th><th scope="col">8月</th><th scope="col">9月</th><th scope="col">10月</th><th scope="col">11月</th><th scope="col">12月</th></tr>
</thead><tbody><tr><td>3</td><td>3</td><td>3</td><td>3</td><td>3</td><td>3</td><td>3</td><td>3</td><td>3</td><td>2</td><td>2</td><td>3</td></tr>
</tbody></table><footer><p>认定机构：贵溪市残疾人联合会</p>
<p>状态：<strong>有效</strong></p>
<p>首次出具：2026年4月15日</p>
<p>校验码：<span class="code">[code]</span></p>
<p class="hint">凭编号与校验码可在本系统“认定书查验”页面核对本认定书的内容及其是否有效。</p>
</footer></article></main></body></html>
"###);
}
