//! The whole road of one employer: entered, judged, ticked, proven, reviewed, declared, accepted, taken back, declared again, amended.

use renzheng::declare::evidence::{Attaching, attach};
use renzheng::declare::hand_in::hand_in;
use renzheng::declare::register::placement::PlacementForm;
use renzheng::declare::register::{Register, Step};
use renzheng::declare::review::decide::{Deciding, decide};
use renzheng::declare::review::next;
use renzheng::declare::standing::placements;
use renzheng::declare::tick::{Choosing, choose};
use renzheng::declare::{DeclareError, amend, withdraw};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::evidence::Subject;
use renzheng::domain::review::{Grounds, MonthStanding, PlacementStanding};
use renzheng::domain::ruling::{ApprovalReason, Ruling, Word};

use crate::declaring::{SCHOOL, Scene, YEAR, amendment_approval, approval, change, employer, supervisor, withdrawal};
use crate::evidence::made::png;
use crate::harness::Scratch;
use crate::register::{labour, typed};

fn code(outcome: Result<impl std::fmt::Debug, DeclareError>) -> &'static str {
    outcome.expect_err("refused").code().expect("a refusal")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employer_goes_from_an_entry_to_an_accepted_version_takes_it_back_and_amends_it() {
    let scene = Scene::begin("whole_road").await;
    let files = Scratch::new("whole_road_files");
    let store = scene.store().clone().keep_evidence_in(files.path().join("evidence"));
    let policy = &scene.day.harness.policy.policy;
    let declaring = scene.declaring(SCHOOL).await;
    let own = employer(declaring.employer);
    let reviewer = Actor {
        name: "reviewer".to_owned(),
        role: Role::Reviewer,
        scope: Scope::Division("36".to_owned()),
        on_behalf_of: None,
    };

    // somebody of whom nothing is known yet is entered with a contract: not known is no failure, and asks for patience
    let register = Register { store: &store, policy, actor: &own };
    let form: PlacementForm<'_> = typed(declaring.employer, YEAR as i16, 7);
    let newcomer = register.enter(&form).await.expect("entered").person;
    let contract = labour(declaring.employer, YEAR as i16, newcomer, "2024-01-01", "");
    register.save_contract(&contract, Step::Add).await.expect("added");
    scene.day.harness.verify(YEAR).await;
    let march = Choosing {
        declaring,
        person: newcomer,
        months: vec![crate::declaring::month(3)],
        ticked: true,
        deregisters: false,
    };
    assert_eq!(code(choose(&store, policy, &own, &march).await), "not_due");
    register.delete_placement(declaring.employer, YEAR as i16, newcomer, "entered by mistake").await.expect("deleted");

    // a month that fails: ticked, refused without evidence, proven, handed in, approved
    let views = placements(&store, declaring).await.expect("standing");
    let failing = views
        .iter()
        .flat_map(|view| view.months.iter().map(move |month| (view.person, month)))
        .find(|(_, month)| month.standing == MonthStanding::Unticked && Grounds::pending(&month.verdict).is_empty());
    let (person, failing) = failing.expect("a month that fails");
    let (month, grounds) = (failing.month, Grounds::failing(&failing.verdict));
    let choosing = Choosing { declaring, person, months: vec![month], ticked: true, deregisters: false };
    choose(&store, policy, &own, &choosing).await.expect("ticked");
    assert_eq!(code(hand_in(&store, policy, &own, declaring, person, false).await), "evidence_missing");
    assert_eq!(code(scene.complete(SCHOOL).await), "not_confirmed");
    let subjects: Vec<Subject> = grounds.iter().map(|ground| Subject::Cell { person, month, ground }).collect();
    let attaching = Attaching { employer: declaring.employer, file_name: "slip.png", subjects: &subjects };
    attach(&store, None, &own, &attaching, &png()[..]).await.expect("attached");
    hand_in(&store, policy, &own, declaring, person, false).await.expect("handed in");
    let opened = next(&store, &reviewer, None).await.expect("the queue").expect("a case");
    assert_eq!((opened.view.person, opened.view.standing()), (person, PlacementStanding::UnderReview));
    let ruling =
        Ruling { word: Word::Approve(vec![ApprovalReason::Other]), note: Some("the slip shows it".to_owned()) };
    let deciding = Deciding { case: declaring.case(person), month, ruling, seen: Some(grounds) };
    decide(&store, policy, &reviewer, &deciding).await.expect("decided");

    let completed = scene.complete(SCHOOL).await.expect("completed");
    let months = store.list_declared_months(declaring.employer, YEAR as i16, 1).await.expect("months");
    let approved: Vec<_> = months.iter().filter(|one| one.approved).map(|one| (one.person, one.month)).collect();
    assert_eq!((completed.version, months.len(), approved), (1, 35, vec![(person, month)]));
    scene.push().await;
    let held = scene.held();
    assert_eq!((held.len(), held[0].1, held[0].2), (1, 1, u64::from(completed.weighted_person_months)));
    assert_eq!(scene.state(SCHOOL).await.name(), "accepted");

    // taken back, corrected, declared again as the second version
    let staff = supervisor();
    withdraw::ask(&store, &own, declaring, &withdrawal(false)).await.expect("asked");
    withdraw::decide(&store, &staff, declaring, &approval(None)).await.expect("approved");
    let unticked = Choosing { ticked: false, ..choosing };
    choose(&store, policy, &own, &unticked).await.expect("unticked");
    assert_eq!(scene.complete(SCHOOL).await.expect("completed again").version, 2);
    scene.push().await;
    assert_eq!(scene.held()[0].1, 2);

    // amended as the third, which the second stands in for until it is accepted
    let months = store.list_declared_months(declaring.employer, YEAR as i16, 2).await.expect("months");
    assert_eq!(months.len(), 34);
    let removed = vec![change(months[0].person, months[0].month.number(), false)];
    amend::ask(&store, policy, &own, declaring, removed).await.expect("asked");
    amend::decide(&store, policy, &staff, declaring, &amendment_approval()).await.expect("approved");
    assert_eq!(scene.held()[0].1, 2, "the old result stands");
    scene.push().await;
    assert_eq!((scene.held()[0].1, scene.claims(SCHOOL).await), (3, 33));
}
