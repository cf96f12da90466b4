//! Role × action × own or foreign object: what the table of the domain says is what the commands do.

use std::collections::BTreeSet;

use renzheng::domain::access::{Action, Role};
use renzheng::domain::ids::Uscc;

use crate::access::{E1, E3, as_holder, division, province, unit, user};
use crate::harness::Scratch;
use crate::runs::say;

/// A command for each action; `EMPLOYER` and `PERSON` are filled in. Those that name no employer are asked once.
const COMMANDS: &[(Action, &str)] = &[
    (Action::ReadResults, "declare standing --year 2025 --employer EMPLOYER"),
    (Action::ReadResults, "declare drift --year 2025 --employer EMPLOYER"),
    (Action::LookUp, "look-up --employer EMPLOYER"),
    (Action::Enter, "affiliate delete --employer EMPLOYER --year 2025 --unit 91369900MA2000F14G --why x"),
    (Action::DeletePlacement, "placement delete --employer EMPLOYER --year 2025 --person PERSON --why x"),
    (Action::AttachEvidence, "evidence attach FILE --employer EMPLOYER --original 2025:PERSON"),
    (Action::OpenEvidence, "evidence open 999 --out -"),
    (Action::Tick, "declare untick --employer EMPLOYER --year 2025 --person PERSON --months 2025-03"),
    (Action::HandIn, "declare hand-in --employer EMPLOYER --year 2025 --person PERSON"),
    (Action::Complete, "declare complete --employer EMPLOYER --year 2025 --accept-commitment another"),
    (Action::AskWithdrawal, "withdraw ask --employer EMPLOYER --year 2025 --why x"),
    (Action::AskAmendment, "amend ask --employer EMPLOYER --year 2025 --remove PERSON:2025-03 --why x"),
    (Action::Consent, "declare consent --employer EMPLOYER --year 2025 --accept-commitment another"),
    (Action::Deregister, "deregister --employer EMPLOYER --on 2027-02-10"),
    (Action::OpenCase, "review show --employer EMPLOYER --year 2025 --person PERSON"),
    (Action::DecideMonth, "review decide --employer EMPLOYER --person PERSON --month 2025-03 --reject other --note x"),
    (Action::ApproveDecision, "review approve --employer EMPLOYER --person PERSON --month 2025-03"),
    (Action::UndoDecision, "review undo --employer EMPLOYER --person PERSON --month 2025-03 --why x"),
    (
        Action::SeeOriginal,
        "review original --employer EMPLOYER --year 2025 --person PERSON --level 3 --valid-from 2020-01-01",
    ),
    (
        Action::DecideConflict,
        "review conflict decide --employer EMPLOYER --person PERSON --month 2025-03 --reason labour_contract",
    ),
    (Action::DecideWithdrawal, "withdraw decide --employer EMPLOYER --year 2025 --approve --why x"),
    (Action::DecideAmendment, "amend decide --employer EMPLOYER --year 2025 --approve --why x"),
    (Action::Reissue, "declare reissue --employer EMPLOYER --year 2025"),
    (Action::CloseDeclaration, "declare close --employer EMPLOYER --year 2025 --why x"),
    (Action::Reverify, "verify --year 2025 --employer EMPLOYER"),
    (Action::Reveal, "results --year 2025 --employer EMPLOYER --reveal"),
    (Action::ReadAudit, "audit list"),
    (Action::ManageUsers, "user list"),
    (Action::Operate, "runs"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_to_its_own_and_to_others_what_the_table_says() {
    let shown: BTreeSet<Action> = COMMANDS.iter().map(|(action, _)| *action).collect();
    assert_eq!(shown, Action::ALL.iter().copied().collect(), "an action without a command");
    let province = province("matrix").await;
    let (harness, store) = (&province.harness, &province.harness.store);
    let scratch = Scratch::new("matrix_files");
    let file = scratch.path().join("notes.txt");
    std::fs::write(&file, "no picture").expect("written");
    let file = file.display().to_string();
    let lines = scratch.path().join("lines.txt");
    std::fs::write(&lines, "某人\n360001196501010019\n36000119650101001943\n").expect("written");
    let mut persons = Vec::new();
    for code in [E1, E3] {
        let employer = store.find_unit(&Uscc::parse(code).expect("a code")).await.expect("asked").expect("known");
        let placements = store.list_placements(&[employer]).await.expect("placements");
        persons.push(placements.first().expect("a placement").person.0.to_string());
    }
    for role in Role::ALL {
        let (reach, everywhere) = match role {
            Role::Employer | Role::Handler => (unit(E1), false),
            Role::Reviewer | Role::Supervisor | Role::Auditor => (division("3601"), false),
            Role::Operator => (renzheng::declare::users::AskedReach::Everything, true),
        };
        let token = user(store, &format!("m.{role}"), *role, &reach).await;
        for (action, command) in COMMANDS {
            for (code, person) in [E1, E3].into_iter().zip(&persons) {
                if code == E3 && !command.contains("EMPLOYER") {
                    continue;
                }
                let command = command.replace("EMPLOYER", code).replace("PERSON", person).replace("FILE", &file);
                let arguments: Vec<&str> = command.split(' ').collect();
                let mut program = as_holder(harness, &token, &arguments);
                program.stdin(std::fs::File::open(&lines).expect("opened"));
                let said = say(&mut program);
                let (unknown, may_not) = (format!("no unit {code} is known here"), format!("the role {role} may not"));
                let fits = match (code == E3 && !everywhere, role.may(*action)) {
                    // what is out of reach is not found, or not for the role at all: never told apart by what is there
                    (true, _) => said.contains(&unknown) || said.contains(&may_not) && !role.may(*action),
                    (false, false) => said.contains(&format!("{may_not} {action}")),
                    (false, true) => !said.contains(&unknown) && !said.contains(&may_not),
                };
                assert!(fits, "{role}, {command}: {said}");
            }
        }
    }
}
