//! Operation × role × own or foreign object: what the document says of who may is what the router does.

use renzheng::domain::access::{Action, Role};
use renzheng::domain::ids::Uscc;

use super::samples::{Named, sample};
use super::{Api, Says};
use crate::access::{E1, E3, division, province, unit, user};
use crate::website::Website;

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_open_to_whom_the_document_says() {
    let province = province("api_matrix").await;
    let store = &province.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let mut named = Vec::new();
    for code in [E1, E3] {
        let employer = store.find_unit(&Uscc::parse(code).expect("a code")).await.expect("asked").expect("known");
        let placements = store.list_placements(&[employer]).await.expect("placements");
        let person_id = placements.first().expect("a placement").person.0.to_string();
        named.push(Named { uscc: code.to_owned(), person_id });
    }
    let operations = api.operations();
    let without: Vec<&str> =
        (operations.iter().map(|one| one.id.as_str())).filter(|id| sample(id, &named[0]).is_none()).collect();
    assert!(without.is_empty(), "operations without a sample: {without:?}");

    for role in Role::OF_USERS {
        let (reach, everywhere) = match role {
            Role::Employer | Role::Handler => (unit(E1), false),
            Role::Reviewer | Role::Supervisor | Role::Auditor | Role::TaxDepartment => (division("3601"), false),
            Role::Operator => (renzheng::declare::users::AskedReach::Everything, true),
            Role::Person => unreachable!("no user"),
        };
        let token = user(store, &format!("api.{role}"), role, &reach).await;
        for operation in &operations {
            let access = operation.access();
            let action = access["may"]["action"].as_str().map(|word| Action::parse(word).expect("an action"));
            let or = access["may"]["or"].as_str().map(|word| Action::parse(word).expect("an action"));
            let may = |action: Action| role.may(action) || or.is_some_and(|or| role.may(or));
            let of_employer = access["may"]["whose"] == "employer";
            for (place, named) in named.iter().enumerate() {
                let foreign = place == 1 && !everywhere;
                if place == 1 && !of_employer {
                    continue;
                }
                let says = sample(&operation.id, named).expect("a sample");
                let answer = api.call(&token, &operation.id, says).await;
                let told = format!("{role}, {}, {}: {} {}", operation.id, named.uscc, answer.status, answer.text);
                match (action, foreign) {
                    (None, _) => assert!(![401, 403].contains(&answer.status), "{told}"),
                    (Some(_), true) => assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{told}"),
                    (Some(action), false) if may(action) => {
                        assert!(![400, 401, 403, 415].contains(&answer.status), "{told}");
                    }
                    (Some(_), false) => assert_eq!(answer.problem(), (403, "forbidden".to_owned()), "{told}"),
                }
            }
        }
    }
    // what is of the installation is nobody's who was granted a part of it
    let part = user(store, "api.part", Role::Operator, &division("3601")).await;
    let of_all: Vec<_> = operations
        .iter()
        .filter(|one| one.access()["may"]["whose"] == "installation")
        .map(|one| one.id.as_str())
        .collect();
    assert!(
        ["list_messages", "hold_outbox", "pause_job", "list_alerts", "add_user"].iter().all(|id| of_all.contains(id))
    );
    for id in of_all {
        let answer = api.call(&part, id, sample(id, &named[0]).expect("a sample")).await;
        assert_eq!(answer.problem(), (403, "not_of_everything".to_owned()), "{id}: {}", answer.text);
    }
    let messages = api.call(&part, "list_messages", Says::default().query("employer", E3)).await;
    assert_eq!(messages.problem(), (403, "not_of_everything".to_owned()), "another division's, all the same");
    // nobody at all
    for operation in &operations {
        let says = sample(&operation.id, &named[0]).expect("a sample");
        let answer = api.call("", &operation.id, says).await;
        if operation.access() == "open" {
            assert!(![401, 403].contains(&answer.status), "{}: {}", operation.id, answer.text);
        } else {
            assert_eq!(answer.problem(), (401, "unauthorized".to_owned()), "{}", operation.id);
        }
    }
}
