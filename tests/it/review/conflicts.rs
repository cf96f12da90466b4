//! Who is in conflict over a month, and what a decision, a tick and a claim change about it.

use renzheng::declare::DeclareError;
use renzheng::declare::conflict::{Deciding, RivalFact, decide, list, undo};
use renzheng::domain::access::{Actor, Denied};
use renzheng::domain::facts::PersonId;
use renzheng::domain::reviewing::Refused;
use renzheng::domain::ruling::PrevailingReason;
use renzheng::store::conflicts::NewConflictDecision;
use renzheng::store::publish::Cause;
use renzheng::verify::Selection;
use renzheng::verify::explain::{Asked, explain};

use super::scene::{Scene, reason, reviewer, supervisor};
use crate::gate::wait_for_a_waiter;
use crate::harness::Harness;
use crate::incremental::{YEAR, month_of, uscc};

/// Person 0 passes at employer 0 and employer 1 alike.
async fn twice() -> Scene {
    let mut scene = Box::pin(Scene::begin()).await;
    scene.employ(0, 1).await;
    scene.night().await;
    scene
}

/// Whether March is in conflict at employers 0 and 1, after what changed was judged.
async fn marks(scene: &Scene) -> [bool; 2] {
    scene.verify().await;
    [scene.verdict(0, 0, 3).await.conflict, scene.verdict(0, 1, 3).await.conflict]
}

async fn decide_for(scene: &Scene, actor: &Actor, employer: u32) -> Result<(), DeclareError> {
    let deciding = Deciding {
        person: scene.person(0).await,
        month: month_of(3),
        employer: scene.unit(employer).await,
        reason: PrevailingReason::LabourContract,
        note: None,
    };
    decide(scene.store(), actor, &deciding).await.map(drop)
}

async fn take_back(scene: &Scene, actor: &Actor) -> Result<(), DeclareError> {
    undo(scene.store(), actor, scene.person(0).await, month_of(3), None).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_pass_are_in_conflict_until_one_unticks_or_staff_decide() {
    let scene = twice().await;
    assert_eq!(marks(&scene).await, [true, true]);
    scene.untick(0, 1, &[3]).await.expect("unticked");
    assert_eq!(marks(&scene).await, [false, true], "an unticked month is nobody's rival");
    scene.tick(0, 1, &[3]).await.expect("ticked again");
    assert_eq!(marks(&scene).await, [true, true]);
    let above = supervisor("above", "36");
    decide_for(&scene, &above, 1).await.expect("decided");
    assert_eq!(marks(&scene).await, [true, false]);
    decide_for(&scene, &above, 0).await.expect("decided otherwise");
    assert_eq!(marks(&scene).await, [false, true]);
    let again = decide_for(&scene, &above, 0).await.expect_err("nothing new");
    assert_eq!(reason(&again), Some(&Refused::DecidedSo));
    // whom it was decided for leaves the month to the other
    scene.untick(0, 0, &[3]).await.expect("unticked");
    assert_eq!(marks(&scene).await, [true, false]);
    scene.tick(0, 0, &[3]).await.expect("ticked");
    take_back(&scene, &above).await.expect("taken back");
    assert_eq!(marks(&scene).await, [true, true]);
    let nothing = take_back(&scene, &above).await.expect_err("nothing is decided");
    assert_eq!(reason(&nothing), Some(&Refused::NoConflictDecided { month: month_of(3) }));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_decide_at_once_the_second_hears_of_the_first() {
    let scene = twice().await;
    let (first, second) = (supervisor("first", "36"), supervisor("second", "36"));
    let (store, harness) = (scene.store(), &scene.province.harness);
    let (person, employer, month) = (scene.person(0).await, scene.unit(0).await, month_of(3));
    let at = store.now().await.expect("now");
    let reason_given = PrevailingReason::LabourContract;
    // the first decides, or decides otherwise, while the second has looked and waits
    for taken_back in [false, true] {
        let mut publish = store.publish(Cause::Decision, at).await.expect("the lock");
        let meanwhile = async {
            wait_for_a_waiter(harness).await;
            if taken_back {
                assert!(publish.end_conflict_decision(person, month, &first.name, None, at).await.expect("ended"));
            } else {
                let by = first.name.as_str();
                let decided = NewConflictDecision { person, month, employer, reason: reason_given, note: None, by, at };
                publish.save_conflict_decision(&decided).await.expect("decided");
            }
            publish.commit().await.expect("committed");
        };
        let (late, ()) = tokio::join!(decide_for(&scene, &second, 1), meanwhile);
        let refused = late.expect_err("it is another question now");
        assert_eq!(reason(&refused), Some(&Refused::DecidedMeanwhile { month }));
    }
    decide_for(&scene, &second, 1).await.expect("decided, having looked again");
    // nor is a decision taken back that was not looked at
    let mut publish = store.publish(Cause::Decision, at).await.expect("the lock");
    let meanwhile = async {
        wait_for_a_waiter(harness).await;
        let by = first.name.as_str();
        let decided = NewConflictDecision { person, month, employer, reason: reason_given, note: None, by, at };
        publish.save_conflict_decision(&decided).await.expect("decided");
        publish.commit().await.expect("committed");
    };
    let (late, ()) = tokio::join!(take_back(&scene, &second), meanwhile);
    assert_eq!(reason(&late.expect_err("another's")), Some(&Refused::DecidedMeanwhile { month }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_month_is_marked_beside_a_passing_one_unless_it_was_decided_for() {
    let mut scene = twice().await;
    scene.lose("wage", 0, 0, 3);
    scene.province.pull_all().await;
    assert_eq!(marks(&scene).await, [true, false]);
    decide_for(&scene, &supervisor("above", "36"), 0).await.expect("decided");
    assert_eq!(marks(&scene).await, [false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_wins_over_none_and_over_a_decision_and_ends_deciding() {
    let scene = twice().await;
    let above = supervisor("above", "36");
    decide_for(&scene, &above, 0).await.expect("decided");
    scene.verify().await;
    scene.complete(0).await.expect("completed, March only of this person");
    assert_eq!(scene.declared(0).await, [3]);
    assert_eq!(marks(&scene).await, [false, true]);
    let decided = decide_for(&scene, &above, 1).await.expect_err("claimed");
    assert_eq!(reason(&decided), Some(&Refused::Claimed { month: month_of(3) }));
    let undone = take_back(&scene, &above).await.expect_err("claimed");
    assert_eq!(reason(&undone), Some(&Refused::Claimed { month: month_of(3) }));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_jurisdictions_the_level_above_decides() {
    let scene = twice().await;
    let text = format!(
        "uscc,name,kind,division,wage_class,federation_division,tax_division,headcount\n{},公司,enterprise,360203,1,360203,360203,50\n",
        uscc(1)
    );
    scene.province.import(renzheng::declare::import::ImportKind::Employers, &text).await;
    let beyond = decide_for(&scene, &supervisor("city", "3601"), 0).await.expect_err("the other city's too");
    assert_eq!(reason(&beyond), Some(&Refused::BeyondReach));
    let foreign = decide_for(&scene, &supervisor("city", "3601"), 1).await.expect_err("the other city's");
    assert!(matches!(foreign, DeclareError::Denied(Denied::NotFound)), "{foreign}");
    let forbidden = decide_for(&scene, &reviewer("one", "36"), 0).await.expect_err("a supervisor does");
    assert!(matches!(forbidden, DeclareError::Denied(Denied::Forbidden { .. })), "{forbidden}");
    decide_for(&scene, &supervisor("province", "36"), 0).await.expect("decided");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_has_a_rival_and_a_reason_that_fits() {
    let scene = twice().await;
    let above = supervisor("above", "36");
    let agreement = Deciding {
        person: scene.person(0).await,
        month: month_of(3),
        employer: scene.unit(0).await,
        reason: PrevailingReason::DispatchAgreement,
        note: None,
    };
    let unfit = decide(scene.store(), &above, &agreement).await.expect_err("nobody is dispatched");
    assert_eq!(reason(&unfit), Some(&Refused::ReasonUnfit));
    let alone = Deciding { person: scene.person(3).await, reason: PrevailingReason::LabourContract, ..agreement };
    let refused = decide(scene.store(), &above, &alone).await.expect_err("placed once");
    assert!(matches!(reason(&refused), Some(Refused::NoRival { .. })), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_who_the_rivals_are_and_the_employer_only_that_there_are() {
    let scene = twice().await;
    let above = supervisor("above", "36");
    decide_for(&scene, &above, 1).await.expect("decided");
    scene.verify().await;
    let (contested, more) =
        list(scene.store(), &reviewer("one", "3601"), YEAR, PersonId(0), 100).await.expect("a list");
    assert_eq!((contested.len(), more), (12, None));
    let march = contested.iter().find(|one| one.month == month_of(3)).expect("March");
    let told: Vec<_> = march.rivals.iter().map(|rival| (rival.uscc.clone(), rival.facts.clone())).collect();
    let passes = RivalFact::Passes;
    let mut expected = vec![(uscc(0), vec![passes, RivalFact::InConflict]), (uscc(1), vec![passes])];
    expected.sort_by_key(|(code, _)| told.iter().position(|(known, _)| known == code));
    assert_eq!(told, expected);
    assert_eq!(march.decided.as_ref().expect("decided").uscc, uscc(1));
    let nothing = list(scene.store(), &reviewer("elsewhere", "3602"), YEAR, PersonId(0), 100).await.expect("a list");
    assert!(nothing.0.is_empty());

    for reveal in [false, true] {
        let asked = Asked { employer: scene.unit(0).await, person: scene.person(0).await, month: month_of(3), reveal };
        let explanation = explain(scene.store(), &scene.province.policy, asked).await.expect("explained");
        let conflict = explanation.expect("a placement").conflict_evidence.expect("a conflict");
        assert_eq!(conflict.told.en, "staff decided that another employer counts this month");
        let others: Vec<_> = conflict.others.iter().map(|other| (other.uscc.clone(), other.prevails)).collect();
        assert_eq!(others, if reveal { vec![(uscc(1), true)] } else { Vec::new() });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_person_of_a_tick_or_a_decision_is_judged_again_and_why_is_kept() {
    let scene = twice().await;
    let Harness { store, .. } = &scene.province.harness;
    let judged = || async {
        let reading = &scene.province.policy;
        renzheng::verify::verify(store, reading, YEAR, &Selection::default(), "test", &|_| ()).await.expect("verified")
    };
    assert_eq!(judged().await.placements, 0);
    scene.untick(0, 1, &[3]).await.expect("unticked");
    let chosen = judged().await;
    assert_eq!((chosen.placements, chosen.causes.keys().copied().collect::<Vec<_>>()), (2, vec!["choice"]));
    scene.tick(0, 1, &[3]).await.expect("ticked");
    judged().await;
    decide_for(&scene, &supervisor("above", "36"), 0).await.expect("decided");
    let decided = judged().await;
    assert_eq!((decided.placements, decided.causes.keys().copied().collect::<Vec<_>>()), (2, vec!["conflict"]));
}
