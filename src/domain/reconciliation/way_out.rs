//! Of each class of difference: who acts, what is the matter, and what to do, in English and in Chinese.

use super::{Class, Owner};

impl Class {
    pub const fn owner(self) -> Owner {
        match self {
            Self::MissingThere | Self::BehindThere | Self::OtherReceipt => Owner::Program,
            Self::MissingHere => Owner::Operator,
            Self::AcceptedThere | Self::RejectedThere => Owner::Staff,
            Self::WithdrawnThere | Self::InForceThere | Self::OtherContent => Owner::TaxDepartment,
        }
    }

    /// Whether following the department is a way out at all.
    pub const fn can_be_settled(self) -> bool {
        !matches!(self.owner(), Owner::Program)
    }

    /// What is the matter, and what to do.
    pub const fn way_out(self) -> &'static str {
        match self {
            Self::MissingThere => {
                "the department holds nothing of it, or fewer messages than it answered: the program asks about each and sends again what is not \
                 held. If it stays, ask the department"
            }
            Self::BehindThere => {
                "the department holds an older state than it confirmed: the program asks about the later messages and sends again what is not held. \
                 If it stays, ask the department"
            }
            Self::OtherReceipt => {
                "the department names another receipt for the same certification: the program asks for it and keeps the new one"
            }
            Self::MissingHere => {
                "the department holds messages that are not known here, as after a restore: `renzheng reconcile settle` takes their numbers as used \
                 and withdraws what of them is in force; the employer then completes again"
            }
            Self::AcceptedThere => {
                "the department accepted what it had rejected: speak with it; `renzheng reconcile settle` withdraws it there, so that the employer can \
                 complete again"
            }
            Self::RejectedThere => {
                "the department rejected what it had accepted: speak with it; `renzheng reconcile settle` takes the rejection over, after which the \
                 declaration is issued again, reopened or closed"
            }
            Self::WithdrawnThere => {
                "the department took a certification out of force that nobody withdrew: let it be put back; if it is not, `renzheng reconcile settle` \
                 takes the declaration as rejected"
            }
            Self::InForceThere => {
                "the department holds a certification in force that by its own answers is not: let it be taken out; if it is not, `renzheng reconcile \
                 settle` withdraws it"
            }
            Self::OtherContent => {
                "the department holds other numbers, or another body, than it confirmed: let it be corrected; if it is not, `renzheng reconcile settle` \
                 withdraws the certification, so that nothing counts that cannot be proved, and the employer completes again"
            }
        }
    }

    /// The same in Chinese.
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::MissingThere => {
                "税务部门没有该单位的报文，或少于其已答复的数量：程序会逐一查询并重新发送缺失的报文。如仍存在，请与税务部门联系"
            }
            Self::BehindThere => {
                "税务部门的内容早于其已确认的状态：程序会查询后续报文并重新发送缺失的报文。如仍存在，请与税务部门联系"
            }
            Self::OtherReceipt => "税务部门对同一认定给出了另一回执编号：程序会重新查询并保存新的回执",
            Self::MissingHere => {
                "税务部门持有本系统没有的报文（例如恢复备份之后）：运行 `renzheng reconcile settle`，相关编号视为已用，其中有效的认定予以撤回，单位可重新申报"
            }
            Self::AcceptedThere => {
                "税务部门接收了先前退回的报文：请与税务部门核实；运行 `renzheng reconcile settle` 将其撤回，单位可重新申报"
            }
            Self::RejectedThere => {
                "税务部门退回了先前接收的报文：请与税务部门核实；运行 `renzheng reconcile settle` 按退回处理，之后可重新发送、重新打开或关闭"
            }
            Self::WithdrawnThere => {
                "税务部门自行取消了无人撤回的认定：请其恢复；如不恢复，运行 `renzheng reconcile settle` 按退回处理"
            }
            Self::InForceThere => {
                "税务部门仍将按其答复已失效的认定作为有效：请其更正；如不更正，运行 `renzheng reconcile settle` 予以撤回"
            }
            Self::OtherContent => {
                "税务部门的数字或报文内容与其确认的不一致：请其更正；如不更正，运行 `renzheng reconcile settle` 撤回该认定，单位重新申报，以免计入无法证明的内容"
            }
        }
    }
}

impl Owner {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Program => "程序自动处理",
            Self::Staff => "残联工作人员",
            Self::Operator => "系统管理员",
            Self::TaxDepartment => "税务部门",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_class_it_is_told_who_acts_and_what_to_do() {
        let told: Vec<String> = Class::ALL
            .iter()
            .map(|class| {
                let (owner, settled) =
                    (class.owner(), if class.can_be_settled() { "can be settled" } else { "mends itself" });
                format!("{class}, {owner} {}, {settled}\n  {}\n  {}", owner.chinese(), class.way_out(), class.chinese())
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r###"
missing_there, program 程序自动处理, mends itself
  the department holds nothing of it, or fewer messages than it answered: the program asks about each and sends again what is not held. If it stays, ask the department
  税务部门没有该单位的报文，或少于其已答复的数量：程序会逐一查询并重新发送缺失的报文。如仍存在，请与税务部门联系
behind_there, program 程序自动处理, mends itself
  the department holds an older state than it confirmed: the program asks about the later messages and sends again what is not held. If it stays, ask the department
  税务部门的内容早于其已确认的状态：程序会查询后续报文并重新发送缺失的报文。如仍存在，请与税务部门联系
other_receipt, program 程序自动处理, mends itself
  the department names another receipt for the same certification: the program asks for it and keeps the new one
  税务部门对同一认定给出了另一回执编号：程序会重新查询并保存新的回执
missing_here, operator 系统管理员, can be settled
  the department holds messages that are not known here, as after a restore: `renzheng reconcile settle` takes their numbers as used and withdraws what of them is in force; the employer then completes again
  税务部门持有本系统没有的报文（例如恢复备份之后）：运行 `renzheng reconcile settle`，相关编号视为已用，其中有效的认定予以撤回，单位可重新申报
accepted_there, staff 残联工作人员, can be settled
  the department accepted what it had rejected: speak with it; `renzheng reconcile settle` withdraws it there, so that the employer can complete again
  税务部门接收了先前退回的报文：请与税务部门核实；运行 `renzheng reconcile settle` 将其撤回，单位可重新申报
rejected_there, staff 残联工作人员, can be settled
  the department rejected what it had accepted: speak with it; `renzheng reconcile settle` takes the rejection over, after which the declaration is issued again, reopened or closed
  税务部门退回了先前接收的报文：请与税务部门核实；运行 `renzheng reconcile settle` 按退回处理，之后可重新发送、重新打开或关闭
withdrawn_there, tax_department 税务部门, can be settled
  the department took a certification out of force that nobody withdrew: let it be put back; if it is not, `renzheng reconcile settle` takes the declaration as rejected
  税务部门自行取消了无人撤回的认定：请其恢复；如不恢复，运行 `renzheng reconcile settle` 按退回处理
in_force_there, tax_department 税务部门, can be settled
  the department holds a certification in force that by its own answers is not: let it be taken out; if it is not, `renzheng reconcile settle` withdraws it
  税务部门仍将按其答复已失效的认定作为有效：请其更正；如不更正，运行 `renzheng reconcile settle` 予以撤回
other_content, tax_department 税务部门, can be settled
  the department holds other numbers, or another body, than it confirmed: let it be corrected; if it is not, `renzheng reconcile settle` withdraws the certification, so that nothing counts that cannot be proved, and the employer completes again
  税务部门的数字或报文内容与其确认的不一致：请其更正；如不更正，运行 `renzheng reconcile settle` 撤回该认定，单位重新申报，以免计入无法证明的内容
"###);
    }
}
