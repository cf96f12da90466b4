//! Why an event is refused, as a code and as a sentence in both languages.

use super::REFUND_REFERENCE_SIGNS;

/// Why an event is refused; the declaration stays what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the declaration is completed already; to change it, ask for a withdrawal or an amendment")]
    AlreadyCompleted,
    #[error("the declaration was rejected; reopen it to change the result, have the message issued again, or close it")]
    RejectionOpen,
    #[error("the declaration is not completed, so that no message of it exists")]
    NotCompleted,
    #[error("the message is not one that the declaration waits for")]
    AnotherMessage,
    #[error("the tax department answered this message already, and otherwise")]
    AlreadyAnswered,
    #[error("only what the tax department rejected can be issued again, reopened or given up")]
    NotRejected,
    #[error("a later version is on its way and takes the place of what the rejected withdrawal was about")]
    Superseded,
    #[error(
        "a result stands at the tax department; withdraw or amend it, or give up the rejected version that was to replace it"
    )]
    ResultStands,
    #[error("the tax department may still accept a message of it; wait for the answer")]
    MayBeAccepted,
    #[error("the tax department accepted its withdrawal: it holds no claims that closing could give up")]
    WithdrawalAccepted,
    #[error("staff closed the declaration; they can reopen it")]
    Closed,
    #[error("a request is open already; staff decide it first")]
    RequestOpen,
    #[error("no request waits for a decision")]
    NoRequest,
    #[error("the request is about an earlier version than the present one; refuse it, and let it be asked for anew")]
    RequestOutdated,
    #[error("who asked does not decide; another member of staff must")]
    OwnRequest,
    #[error("a reason must be given")]
    ReasonMissing,
    #[error("the levy was paid: the reference of its refund by the tax department must be given first")]
    RefundReferenceMissing,
    #[error("the reference of a refund is one readable line of up to {most} signs, without an ID number", most = REFUND_REFERENCE_SIGNS)]
    RefundReferenceUnfit,
    #[error("an amendment must name at least one month, and each month of a person once")]
    ChangesUnclear,
    #[error(
        "both sides hold the same of this employer and year, or what differs is on its way; there is nothing to settle"
    )]
    NoDifference,
    #[error(
        "the program puts this difference right by itself, or only the tax department can; there is nothing to follow it in"
    )]
    NotForUs,
}

impl Refused {
    pub fn code(self) -> &'static str {
        match self {
            Self::AlreadyCompleted => "already_completed",
            Self::RejectionOpen => "rejection_open",
            Self::NotCompleted => "not_completed",
            Self::AnotherMessage => "another_message",
            Self::AlreadyAnswered => "already_answered",
            Self::NotRejected => "not_rejected",
            Self::Superseded => "superseded",
            Self::ResultStands => "result_stands",
            Self::MayBeAccepted => "may_be_accepted",
            Self::WithdrawalAccepted => "withdrawal_accepted",
            Self::Closed => "closed",
            Self::RequestOpen => "request_open",
            Self::NoRequest => "no_request",
            Self::RequestOutdated => "request_outdated",
            Self::OwnRequest => "own_request",
            Self::ReasonMissing => "reason_missing",
            Self::RefundReferenceMissing => "refund_reference_missing",
            Self::RefundReferenceUnfit => "refund_reference_unfit",
            Self::ChangesUnclear => "changes_unclear",
            Self::NoDifference => "no_difference",
            Self::NotForUs => "not_for_us",
        }
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Self::AlreadyCompleted => "已完成申报；如需修改，请申请撤回或更正。",
            Self::RejectionOpen => "税务部门已退回；请重新打开申报、重新发送或予以关闭。",
            Self::NotCompleted => "尚未完成申报，没有可处理的报文。",
            Self::AnotherMessage => "该报文不是当前申报正在等待的报文。",
            Self::AlreadyAnswered => "税务部门已对该报文作出不同的答复。",
            Self::NotRejected => "只有被税务部门退回的内容才能重新发送、重新打开或放弃。",
            Self::Superseded => "后一版本已在发送中，将取代被退回的撤回所涉及的版本。",
            Self::ResultStands => "税务部门现有有效的认定结果；请申请撤回或更正，或放弃被退回的版本。",
            Self::MayBeAccepted => "税务部门仍可能接收其报文，请等待答复。",
            Self::WithdrawalAccepted => "税务部门已接收撤回，没有需要释放的月份。",
            Self::Closed => "该申报已由工作人员关闭；可由工作人员重新打开。",
            Self::RequestOpen => "已有申请等待审核，请先处理该申请。",
            Self::NoRequest => "没有等待审核的申请。",
            Self::RequestOutdated => "该申请针对较早的版本，请予以退回，由申请人重新提出。",
            Self::OwnRequest => "申请人不能审核自己的申请，须由其他工作人员审核。",
            Self::ReasonMissing => "请填写原因。",
            Self::RefundReferenceMissing => "残保金已缴纳，须先提供税务部门的退费凭证号。",
            Self::RefundReferenceUnfit => "退费凭证号过长、含有乱码，或含有身份证号。",
            Self::ChangesUnclear => "更正须至少包含一个月份，且每人每月只能出现一次。",
            Self::NoDifference => "双方内容一致，或差异正在处理中，无需处理。",
            Self::NotForUs => "该差异由程序自动处理，或只能由税务部门更正。",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_code_and_a_sentence() {
        let all = [
            Refused::AlreadyCompleted,
            Refused::RejectionOpen,
            Refused::NotCompleted,
            Refused::AnotherMessage,
            Refused::AlreadyAnswered,
            Refused::NotRejected,
            Refused::Superseded,
            Refused::ResultStands,
            Refused::MayBeAccepted,
            Refused::WithdrawalAccepted,
            Refused::Closed,
            Refused::RequestOpen,
            Refused::NoRequest,
            Refused::RequestOutdated,
            Refused::OwnRequest,
            Refused::ReasonMissing,
            Refused::RefundReferenceMissing,
            Refused::RefundReferenceUnfit,
            Refused::ChangesUnclear,
            Refused::NoDifference,
            Refused::NotForUs,
        ];
        let told: Vec<String> = all.iter().map(|one| format!("{}: {one}; {}", one.code(), one.chinese())).collect();
        insta::assert_snapshot!(told.join("\n"), @r###"
already_completed: the declaration is completed already; to change it, ask for a withdrawal or an amendment; 已完成申报；如需修改，请申请撤回或更正。
rejection_open: the declaration was rejected; reopen it to change the result, have the message issued again, or close it; 税务部门已退回；请重新打开申报、重新发送或予以关闭。
not_completed: the declaration is not completed, so that no message of it exists; 尚未完成申报，没有可处理的报文。
another_message: the message is not one that the declaration waits for; 该报文不是当前申报正在等待的报文。
already_answered: the tax department answered this message already, and otherwise; 税务部门已对该报文作出不同的答复。
not_rejected: only what the tax department rejected can be issued again, reopened or given up; 只有被税务部门退回的内容才能重新发送、重新打开或放弃。
superseded: a later version is on its way and takes the place of what the rejected withdrawal was about; 后一版本已在发送中，将取代被退回的撤回所涉及的版本。
result_stands: a result stands at the tax department; withdraw or amend it, or give up the rejected version that was to replace it; 税务部门现有有效的认定结果；请申请撤回或更正，或放弃被退回的版本。
may_be_accepted: the tax department may still accept a message of it; wait for the answer; 税务部门仍可能接收其报文，请等待答复。
withdrawal_accepted: the tax department accepted its withdrawal: it holds no claims that closing could give up; 税务部门已接收撤回，没有需要释放的月份。
closed: staff closed the declaration; they can reopen it; 该申报已由工作人员关闭；可由工作人员重新打开。
request_open: a request is open already; staff decide it first; 已有申请等待审核，请先处理该申请。
no_request: no request waits for a decision; 没有等待审核的申请。
request_outdated: the request is about an earlier version than the present one; refuse it, and let it be asked for anew; 该申请针对较早的版本，请予以退回，由申请人重新提出。
own_request: who asked does not decide; another member of staff must; 申请人不能审核自己的申请，须由其他工作人员审核。
reason_missing: a reason must be given; 请填写原因。
refund_reference_missing: the levy was paid: the reference of its refund by the tax department must be given first; 残保金已缴纳，须先提供税务部门的退费凭证号。
refund_reference_unfit: the reference of a refund is one readable line of up to 200 signs, without an ID number; 退费凭证号过长、含有乱码，或含有身份证号。
changes_unclear: an amendment must name at least one month, and each month of a person once; 更正须至少包含一个月份，且每人每月只能出现一次。
no_difference: both sides hold the same of this employer and year, or what differs is on its way; there is nothing to settle; 双方内容一致，或差异正在处理中，无需处理。
not_for_us: the program puts this difference right by itself, or only the tax department can; there is nothing to follow it in; 该差异由程序自动处理，或只能由税务部门更正。
"###);
    }
}
