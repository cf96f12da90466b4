//! Role × action × own or foreign object: what the table of the domain says is what the commands do.

use std::collections::BTreeSet;

use renzheng::declare::evidence::{Attaching, attach};
use renzheng::domain::access::{Action, Role};
use renzheng::domain::evidence::Subject;
use renzheng::domain::ids::Uscc;

use crate::access::{E1, E3, as_holder, division, province, unit, user};
use crate::evidence::made::png;
use crate::harness::{Scratch, actor};
use crate::runs::say;

/// A command for each action; `EMPLOYER`, `PERSON` and `EVIDENCE` are filled in. Those that name nothing of an employer are asked once.
const COMMANDS: &[(Action, &str)] = &[
    (Action::ReadResults, "declare standing --year 2025 --employer EMPLOYER"),
    (Action::ReadResults, "declare drift --year 2025 --employer EMPLOYER"),
    (Action::LookUp, "look-up --employer EMPLOYER"),
    (Action::Enter, "affiliate delete --employer EMPLOYER --year 2025 --unit 91369900MA2000F14G --why x"),
    (Action::DeletePlacement, "placement delete --employer EMPLOYER --year 2025 --person PERSON --why x"),
    (Action::AttachEvidence, "evidence attach FILE --employer EMPLOYER --original 2025:PERSON"),
    (Action::OpenEvidence, "evidence open EVIDENCE --out -"),
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
    (Action::DecideObjection, "objection answer 1 --not-upheld --text -"),
    (Action::DecideWithdrawal, "withdraw decide --employer EMPLOYER --year 2025 --approve --why x"),
    (Action::DecideAmendment, "amend decide --employer EMPLOYER --year 2025 --approve --why x"),
    (Action::Reissue, "declare reissue --employer EMPLOYER --year 2025"),
    (Action::CloseDeclaration, "declare close --employer EMPLOYER --year 2025 --why x"),
    (Action::SettleDifference, "reconcile settle --employer EMPLOYER --year 2025 --why x"),
    (Action::Reverify, "verify --year 2025 --employer EMPLOYER"),
    (Action::IssueDocument, "certification show --employer EMPLOYER --year 2025"),
    (Action::ReadTaxFeed, "export --year 2025 --out nowhere"),
    (Action::AnswerTaxFeed, "export acknowledge FILE"),
    (Action::Subscribe, "subscription list"),
    (Action::Reveal, "results --year 2025 --employer EMPLOYER --reveal"),
    (Action::IssuePersonCode, "person code --person PERSON --why lost"),
    (Action::ReadAudit, "audit list"),
    (Action::ManageUsers, "user list"),
    (Action::Operate, "runs"),
    (Action::ReadAnnouncements, "announcement list"),
    (Action::PublishAnnouncement, "announcement publish --title x --division 3601 --text FILE"),
    (Action::ApplyReward, "reward apply --employer EMPLOYER --year 2025"),
    (Action::DecideReward, "reward decide --employer EMPLOYER --year 2025 --approve result_confirmed"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_to_its_own_and_to_others_what_the_table_says() {
    let shown: BTreeSet<Action> = COMMANDS.iter().map(|(action, _)| *action).collect();
    // what a person does for themselves has no command: they hold no token
    let of_users = Action::ALL.iter().copied().filter(|action| !Role::Person.may(*action));
    assert_eq!(shown, of_users.collect(), "an action without a command");
    let province = province("matrix").await;
    let (harness, store) = (&province.harness, &province.harness.store);
    let scratch = Scratch::new("matrix_files");
    let file = scratch.path().join("notes.txt");
    std::fs::write(&file, "no picture").expect("written");
    let file = file.display().to_string();
    let lines = scratch.path().join("lines.txt");
    std::fs::write(&lines, "某人\n360001196501010019\n36000119650101001943\n").expect("written");
    let evidence = store.clone().keep_evidence_in(scratch.path().join("evidence"));
    let mut owned = Vec::new();
    for code in [E1, E3] {
        let employer = store.find_unit(&Uscc::parse(code).expect("a code")).await.expect("asked").expect("known");
        let placements = store.list_placements(&[employer]).await.expect("placements");
        let person = placements.first().expect("a placement").person;
        let subjects = [Subject::Original { year: 2025, person }];
        let attaching = Attaching { employer, file_name: "original.png", subjects: &subjects };
        let attached = attach(&evidence, None, &actor(), &attaching, &png()[..]).await.expect("attached");
        owned.push((code, person.0.to_string(), attached.evidence_id.to_string()));
    }
    for role in &Role::OF_USERS {
        let (reach, everywhere) = match role {
            Role::Employer | Role::Handler => (unit(E1), false),
            Role::Reviewer | Role::Supervisor | Role::Auditor | Role::TaxDepartment | Role::Person => {
                (division("3601"), false)
            }
            Role::Operator => (renzheng::declare::users::AskedReach::Everything, true),
        };
        let token = user(store, &format!("m.{role}"), *role, &reach).await;
        for (action, command) in COMMANDS {
            for (code, person, evidence) in &owned {
                let is_named = command.contains("EMPLOYER") || command.contains("EVIDENCE");
                let foreign = *code == E3;
                if foreign && !is_named {
                    continue;
                }
                let command = command.replace("EMPLOYER", code).replace("PERSON", person);
                let command = command.replace("EVIDENCE", evidence).replace("FILE", &file);
                let arguments: Vec<&str> = command.split(' ').collect();
                let mut program = as_holder(harness, &token, &arguments);
                program.stdin(std::fs::File::open(&lines).expect("opened"));
                let said = say(&mut program);
                let may_not = format!("the role {role} may not");
                let unknown = [format!("no unit {code} is known here"), "there is no such file".to_owned()];
                let is_unknown = unknown.iter().any(|unknown| said.contains(unknown));
                let fits = match (foreign && !everywhere, role.may(*action)) {
                    // what is out of reach is not found, or not for the role at all: never told apart by what is there
                    (true, may) => is_unknown || said.contains(&may_not) && !may,
                    // a command that names an employer asks first whether its results may be read
                    (false, false) => {
                        said.contains(&format!("{may_not} {action}"))
                            || !role.may(Action::ReadResults) && said.contains(&format!("{may_not} read_results"))
                    }
                    (false, true) => !is_unknown && !said.contains(&may_not),
                };
                assert!(fits, "{role}, {command}: {said}");
            }
        }
    }
}
