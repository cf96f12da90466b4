//! Who may do what: one table of roles and actions, and whose data a role reaches.

use super::facts::{PersonId, UnitId, words};

words! {
    /// Roles, each held by a user within a scope.
    Role {
        /// 法人: the employer itself.
        Employer = "employer",
        /// 经办人: acts for one unit, for a time.
        Handler = "handler",
        /// Federation staff who review.
        Reviewer = "reviewer",
        /// Federation staff who decide what a reviewer alone may not.
        Supervisor = "supervisor",
        /// Runs the installation and helps at the counter; decides no case.
        Operator = "operator",
        /// Reads what was done; changes nothing and sees nobody's number.
        Auditor = "auditor",
        /// A tax department's program that fetches messages and answers them.
        TaxDepartment = "tax_department",
        /// A person whom placements are about, known by their own papers and a code. No user has this role: it is granted to nobody.
        Person = "person",
    }
}

words! {
    /// What an actor may want to do.
    Action {
        /// Results, explanations, states, histories of an employer; numbers masked.
        ReadResults = "read_results",
        /// Whether name, ID number and certificate number belong together in the register.
        LookUp = "look_up",
        /// Employer's own data, affiliates, placements, contracts, education.
        Enter = "enter",
        DeletePlacement = "delete_placement",
        AttachEvidence = "attach_evidence",
        OpenEvidence = "open_evidence",
        Tick = "tick",
        HandIn = "hand_in",
        Complete = "complete",
        AskWithdrawal = "ask_withdrawal",
        AskAmendment = "ask_amendment",
        /// That all-green months are confirmed on the last day without a further act.
        Consent = "consent",
        /// An entry for a unit that is being deregistered.
        Deregister = "deregister",
        /// Take a case from the queue, and see it.
        OpenCase = "open_case",
        /// Approve or reject a month, or propose it where a second person is asked for.
        DecideMonth = "decide_month",
        /// The second person's word on a proposed decision.
        ApproveDecision = "approve_decision",
        UndoDecision = "undo_decision",
        /// That the original of a certificate was seen.
        SeeOriginal = "see_original",
        DecideConflict = "decide_conflict",
        /// Answer what a person objects to.
        DecideObjection = "decide_objection",
        DecideWithdrawal = "decide_withdrawal",
        DecideAmendment = "decide_amendment",
        /// Issue a rejected message again, or open a rejected declaration.
        Reissue = "reissue",
        /// Close a declaration of which no message was ever accepted, which gives its claims back.
        CloseDeclaration = "close_declaration",
        /// Follow the tax department where it holds something else: withdraw it there, or take its rejection over.
        SettleDifference = "settle_difference",
        Reverify = "reverify",
        /// The document of a certification (认定书), printed for whoever it is about.
        IssueDocument = "issue_document",
        /// Messages to the tax departments of a division.
        ReadTaxFeed = "read_tax_feed",
        /// What came of them, told by the tax department or taken in for it.
        AnswerTaxFeed = "answer_tax_feed",
        /// That a program hears of what happens, for as long as its user reaches it.
        Subscribe = "subscribe",
        /// Numbers and names in full.
        Reveal = "reveal",
        /// A code by which a person opens what is kept of them, handed out or ended.
        IssuePersonCode = "issue_person_code",
        /// What is kept of oneself: a person opens it.
        OpenOwn = "open_own",
        /// That an employer counts one wrongly.
        Object = "object",
        ReadAudit = "read_audit",
        ManageUsers = "manage_users",
        /// Jobs, runs, quarantine, outbox, alerts, keys, the database.
        Operate = "operate",
        /// What the federation tells everybody (通知公告), where it is for the reader's division.
        ReadAnnouncements = "read_announcements",
        /// Publish an announcement, correct it, take it back.
        PublishAnnouncement = "publish_announcement",
        /// Apply for the reward for exceeding the ratio (超比例奖励), and take that back.
        ApplyReward = "apply_reward",
        DecideReward = "decide_reward",
    }
}

impl Action {
    /// A decision on a case: nobody takes one for lack of another role.
    pub const fn is_decision(self) -> bool {
        matches!(
            self,
            Self::DecideMonth
                | Self::ApproveDecision
                | Self::UndoDecision
                | Self::SeeOriginal
                | Self::DecideConflict
                | Self::DecideObjection
                | Self::DecideWithdrawal
                | Self::DecideAmendment
                | Self::CloseDeclaration
                | Self::DecideReward
        )
    }
}

impl Role {
    /// Those that users have.
    pub const OF_USERS: [Self; 7] = [
        Self::Employer,
        Self::Handler,
        Self::Reviewer,
        Self::Supervisor,
        Self::Operator,
        Self::Auditor,
        Self::TaxDepartment,
    ];

    /// The table: whether the role may do this at all, on what is within its scope.
    pub const fn may(self, action: Action) -> bool {
        use Action as A;
        match self {
            Self::Employer => matches!(
                action,
                A::ReadResults
                    | A::LookUp
                    | A::Enter
                    | A::DeletePlacement
                    | A::AttachEvidence
                    | A::OpenEvidence
                    | A::Tick
                    | A::HandIn
                    | A::Complete
                    | A::AskWithdrawal
                    | A::AskAmendment
                    | A::Consent
                    | A::IssueDocument
                    | A::ReadAnnouncements
                    | A::ApplyReward
                    | A::Subscribe
            ),
            // what binds the employer beyond the case at hand is the employer's own word
            Self::Handler => Self::Employer.may(action) && !matches!(action, A::Consent),
            Self::Reviewer => matches!(
                action,
                A::ReadResults
                    | A::LookUp
                    | A::OpenEvidence
                    | A::AskAmendment
                    | A::Deregister
                    | A::OpenCase
                    | A::DecideMonth
                    | A::UndoDecision
                    | A::SeeOriginal
                    | A::DecideObjection
                    | A::IssuePersonCode
                    | A::Reverify
                    | A::IssueDocument
                    | A::Reveal
                    | A::ReadAnnouncements
            ),
            Self::Supervisor => {
                Self::Reviewer.may(action)
                    || matches!(
                        action,
                        A::ApproveDecision
                            | A::DecideConflict
                            | A::DecideWithdrawal
                            | A::DecideAmendment
                            | A::Reissue
                            | A::CloseDeclaration
                            | A::SettleDifference
                            | A::ReadAudit
                            | A::PublishAnnouncement
                            | A::DecideReward
                    )
            }
            Self::Operator => !action.is_decision() && !Self::Person.may(action),
            Self::Auditor => matches!(action, A::ReadResults | A::ReadAudit | A::ReadAnnouncements),
            Self::TaxDepartment => matches!(action, A::ReadTaxFeed | A::AnswerTaxFeed | A::ReadAnnouncements),
            Self::Person => matches!(action, A::OpenOwn | A::Object),
        }
    }
}

/// Whose data an actor reaches.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Everything,
    /// The units that an employer or a handler acts for.
    Units(Vec<UnitId>),
    /// A jurisdiction: two, four or six digits of the division in charge, a federation's or, of a tax department, its own.
    Division(String),
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Actor {
    /// As the audit log names them.
    pub name: String,
    pub role: Role,
    pub scope: Scope,
    /// Whom they act for, where that is somebody else: the employer of a handler, whoever is served at the counter.
    pub on_behalf_of: Option<String>,
}

/// Whose object it is: the employer, and the federation in charge of it.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub employer: UnitId,
    /// Six digits.
    pub federation_division: &'a str,
}

/// Why an actor may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// What is out of reach does not exist for the actor.
    #[error("there is no such thing here")]
    NotFound,
    #[error("the role {role} may not {action}")]
    Forbidden { role: Role, action: Action },
}

impl Denied {
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden { .. } => "forbidden",
        }
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Self::NotFound => "未找到该内容。",
            Self::Forbidden { .. } => "您的角色无权进行此操作。",
        }
    }
}

impl Actor {
    /// The person at the machine: an operator, as the command line takes whoever shows no token.
    pub fn operator(name: impl Into<String>) -> Self {
        Self { name: name.into(), role: Role::Operator, scope: Scope::Everything, on_behalf_of: None }
    }

    /// What the program does by itself.
    pub fn program(name: impl Into<String>) -> Self {
        Self::operator(name)
    }

    /// A person who showed who they are; what is theirs is found by the person alone.
    pub fn person(person: PersonId) -> Self {
        let name = format!("person {}", person.0);
        Self { name, role: Role::Person, scope: Scope::Units(Vec::new()), on_behalf_of: None }
    }

    pub fn reaches(&self, owner: Owner<'_>) -> bool {
        match &self.scope {
            Scope::Everything => true,
            Scope::Units(units) => units.contains(&owner.employer),
            Scope::Division(prefix) => owner.federation_division.starts_with(prefix.as_str()),
        }
    }

    /// Whether the actor may do this to what belongs to `owner`. Reach is asked first: another's object is not found.
    pub fn may(&self, action: Action, owner: Owner<'_>) -> Result<(), Denied> {
        if !self.reaches(owner) {
            return Err(Denied::NotFound);
        }
        self.may_at_all(action)
    }

    /// The beginning of the divisions in which the actor may do this; empty: of all. Who acts for units has none.
    pub fn division_for(&self, action: Action) -> Result<&str, Denied> {
        self.may_at_all(action)?;
        match &self.scope {
            Scope::Everything => Ok(""),
            Scope::Division(prefix) => Ok(prefix),
            Scope::Units(_) => Err(Denied::Forbidden { role: self.role, action }),
        }
    }

    /// Whether the actor may do this where it belongs to no employer.
    pub fn may_at_all(&self, action: Action) -> Result<(), Denied> {
        if self.role.may(action) { Ok(()) } else { Err(Denied::Forbidden { role: self.role, action }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(role: Role, scope: Scope) -> Actor {
        Actor { name: "somebody".to_owned(), role, scope, on_behalf_of: None }
    }

    const OWN: Owner<'static> = Owner { employer: UnitId(1), federation_division: "360102" };
    const FOREIGN: Owner<'static> = Owner { employer: UnitId(2), federation_division: "360203" };

    #[test]
    fn the_table_of_roles_and_actions() {
        let mut table = String::new();
        for action in Action::ALL {
            let roles = Role::ALL.iter().filter(|role| role.may(*action)).map(|role| role.as_str());
            table.extend([action.as_str(), ": ", &roles.collect::<Vec<_>>().join(" "), "\n"]);
        }
        insta::assert_snapshot!(table, @r"
        read_results: employer handler reviewer supervisor operator auditor
        look_up: employer handler reviewer supervisor operator
        enter: employer handler operator
        delete_placement: employer handler operator
        attach_evidence: employer handler operator
        open_evidence: employer handler reviewer supervisor operator
        tick: employer handler operator
        hand_in: employer handler operator
        complete: employer handler operator
        ask_withdrawal: employer handler operator
        ask_amendment: employer handler reviewer supervisor operator
        consent: employer operator
        deregister: reviewer supervisor operator
        open_case: reviewer supervisor operator
        decide_month: reviewer supervisor
        approve_decision: supervisor
        undo_decision: reviewer supervisor
        see_original: reviewer supervisor
        decide_conflict: supervisor
        decide_objection: reviewer supervisor
        decide_withdrawal: supervisor
        decide_amendment: supervisor
        reissue: supervisor operator
        close_declaration: supervisor
        settle_difference: supervisor operator
        reverify: reviewer supervisor operator
        issue_document: employer handler reviewer supervisor operator
        read_tax_feed: operator tax_department
        answer_tax_feed: operator tax_department
        subscribe: employer handler operator
        reveal: reviewer supervisor operator
        issue_person_code: reviewer supervisor operator
        open_own: person
        object: person
        read_audit: supervisor operator auditor
        manage_users: operator
        operate: operator
        read_announcements: employer handler reviewer supervisor operator auditor tax_department
        publish_announcement: supervisor operator
        apply_reward: employer handler operator
        decide_reward: supervisor
        ");
    }

    #[test]
    fn what_is_out_of_reach_is_not_found_even_for_what_the_role_may_not_do() {
        let employer = actor(Role::Employer, Scope::Units(vec![UnitId(1)]));
        assert_eq!(employer.may(Action::Tick, OWN), Ok(()));
        assert_eq!(employer.may(Action::Tick, FOREIGN), Err(Denied::NotFound));
        assert_eq!(employer.may(Action::DecideMonth, FOREIGN), Err(Denied::NotFound));
        let forbidden = Denied::Forbidden { role: Role::Employer, action: Action::DecideMonth };
        assert_eq!(employer.may(Action::DecideMonth, OWN), Err(forbidden));
    }

    #[test]
    fn staff_have_a_division_and_who_acts_for_units_has_none() {
        let within = |role, scope| actor(role, scope).division_for(Action::OpenCase).map(str::to_owned);
        assert_eq!(within(Role::Operator, Scope::Everything), Ok(String::new()));
        assert_eq!(within(Role::Reviewer, Scope::Division("3601".to_owned())), Ok("3601".to_owned()));
        for (role, scope) in [
            (Role::Operator, Scope::Units(vec![UnitId(1)])),
            (Role::Employer, Scope::Units(vec![UnitId(1)])),
            (Role::Auditor, Scope::Division("36".to_owned())),
        ] {
            let forbidden = Denied::Forbidden { role, action: Action::OpenCase };
            assert_eq!(within(role, scope), Err(forbidden), "{role}");
        }
    }

    #[test]
    fn a_jurisdiction_is_the_beginning_of_a_division() {
        for (prefix, own, foreign) in [("36", true, true), ("3601", true, false), ("360203", false, true)] {
            let reviewer = actor(Role::Reviewer, Scope::Division(prefix.to_owned()));
            assert_eq!((reviewer.reaches(OWN), reviewer.reaches(FOREIGN)), (own, foreign), "{prefix}");
        }
    }

    #[test]
    fn what_is_denied_is_told_to_programs_and_in_chinese() {
        let forbidden = Denied::Forbidden { role: Role::Auditor, action: Action::Enter };
        assert_eq!((Denied::NotFound.code(), Denied::NotFound.chinese()), ("not_found", "未找到该内容。"));
        assert_eq!((forbidden.code(), forbidden.chinese()), ("forbidden", "您的角色无权进行此操作。"));
    }
}
