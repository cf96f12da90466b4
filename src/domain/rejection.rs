//! What the tax department's reasons for rejecting a message mean, who must act, and where.

/// The code of a message that was never sent and is given up here.
pub const DISCARDED_HERE: &str = "discarded_here";

/// Who must act on a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Acts {
    /// The employer corrects what it entered.
    Employer,
    /// Staff of the federation correct or decide.
    Staff,
    /// Who runs the installation: the program sent what it should not have.
    Operator,
    /// It passes by itself: the same message is sent again.
    Nobody,
}

impl Acts {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Employer => "用人单位",
            Self::Staff => "残联工作人员",
            Self::Operator => "系统管理员",
            Self::Nobody => "无需操作",
        }
    }

    pub const fn english(self) -> &'static str {
        match self {
            Self::Employer => "the employer",
            Self::Staff => "staff",
            Self::Operator => "the operator",
            Self::Nobody => "nobody",
        }
    }
}

/// A code of the tax department, explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Meaning {
    pub english: &'static str,
    pub chinese: &'static str,
    pub acts: Acts,
    /// What to do, with the commands that do it.
    pub remedy: &'static str,
}

const CORRECT_AND_REISSUE: &str = "correct the employer's data by `renzheng employer` or `renzheng import employers`, then `renzheng declare reissue`";
const REPORT: &str =
    "nothing of the declaration is wrong: report it with `renzheng push show`; once mended, `renzheng declare reissue`";
const COMPARE: &str = "compare with what the department holds, then `renzheng declare reissue`, or `renzheng declare reopen` for the next version";

/// Every code that is known; others by [`meaning`].
const KNOWN: &[(&str, Meaning)] = &[
    (
        "uscc_invalid",
        Meaning {
            english: "the employer's unified social credit code is not one that the department knows",
            chinese: "统一社会信用代码不符合税务部门的登记",
            acts: Acts::Staff,
            remedy: CORRECT_AND_REISSUE,
        },
    ),
    (
        "division_closed",
        Meaning {
            english: "the tax division does not take in declarations any more",
            chinese: "主管税务机关代码已停用",
            acts: Acts::Staff,
            remedy: CORRECT_AND_REISSUE,
        },
    ),
    (
        "field_missing",
        Meaning {
            english: "a field that must be there is empty or of another form",
            chinese: "必填项缺失或格式不符",
            acts: Acts::Staff,
            remedy: CORRECT_AND_REISSUE,
        },
    ),
    (
        "kind_unknown",
        Meaning {
            english: "the department does not know this kind of message",
            chinese: "报文类型无法识别",
            acts: Acts::Operator,
            remedy: REPORT,
        },
    ),
    (
        "key_mismatch",
        Meaning {
            english: "the message's idempotency key is not made of its own fields",
            chinese: "幂等键与报文内容不一致",
            acts: Acts::Operator,
            remedy: REPORT,
        },
    ),
    (
        "months_invalid",
        Meaning {
            english: "the counts of the months are not twelve whole numbers",
            chinese: "月度人数不是十二个整数",
            acts: Acts::Operator,
            remedy: REPORT,
        },
    ),
    (
        "sum_mismatch",
        Meaning {
            english: "the weighted person-months are not the sum of the months",
            chinese: "加权人月数与各月合计不一致",
            acts: Acts::Operator,
            remedy: REPORT,
        },
    ),
    (
        "weights_impossible",
        Meaning {
            english: "weighted and unweighted person-months cannot both be right",
            chinese: "加权人月数与未加权人月数不相容",
            acts: Acts::Operator,
            remedy: REPORT,
        },
    ),
    (
        "persons_impossible",
        Meaning {
            english: "so many person-months cannot be those of so many persons",
            chinese: "人数与人月数不相容",
            acts: Acts::Operator,
            remedy: REPORT,
        },
    ),
    (
        "placed_persons_mismatch",
        Meaning {
            english: "the placed persons are not the weighted person-months over twelve",
            chinese: "安置人数与加权人月数除以十二的结果不一致",
            acts: Acts::Operator,
            remedy: REPORT,
        },
    ),
    (
        "version_not_newer",
        Meaning {
            english: "the department holds this version or a later one already",
            chinese: "税务部门已有该版本或更新的版本",
            acts: Acts::Staff,
            remedy: COMPARE,
        },
    ),
    (
        "supersedes_mismatch",
        Meaning {
            english: "the department holds another version than the one that this message takes the place of",
            chinese: "报文所替代的版本与税务部门现有版本不一致",
            acts: Acts::Staff,
            remedy: COMPARE,
        },
    ),
    (
        "version_not_held",
        Meaning {
            english: "the department does not hold the version that is taken back",
            chinese: "税务部门没有所撤回的版本",
            acts: Acts::Staff,
            remedy: COMPARE,
        },
    ),
    (
        "system_busy",
        Meaning {
            english: "the department cannot take anything in just now",
            chinese: "税务部门系统繁忙",
            acts: Acts::Nobody,
            remedy: "wait: the same message is sent again by itself",
        },
    ),
    (
        DISCARDED_HERE,
        Meaning {
            english: "an operator gave the message up before it was sent: the department never saw it",
            chinese: "报文在发送前由运维人员作废，税务部门未收到",
            acts: Acts::Staff,
            remedy: "`renzheng declare reissue` to send it after all, `renzheng declare reopen` for the next version, `renzheng declare close` to \
                     give it up",
        },
    ),
];

const UNKNOWN: Meaning = Meaning {
    english: "a reason that this program does not know; the department's own text says more",
    chinese: "本系统未收录的退回原因，请参阅税务部门的说明",
    acts: Acts::Staff,
    remedy: "ask the tax department; `renzheng declare reissue` once the cause is mended, `renzheng declare reopen` where the result itself must change",
};

/// What a code means; one that is not known is explained as that.
pub fn meaning(code: &str) -> Meaning {
    KNOWN.iter().find(|(known, _)| *known == code).map_or(UNKNOWN, |(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_stands_once_and_says_everything() {
        let codes: BTreeSet<&str> = KNOWN.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), KNOWN.len());
        for (code, meaning) in KNOWN {
            assert!(!meaning.english.is_empty() && !meaning.remedy.is_empty(), "{code}");
            assert!(!meaning.chinese.is_ascii(), "{code}");
        }
    }

    #[test]
    fn every_reason_that_the_sandbox_gives_is_known() {
        let rules = include_str!("../sandbox/tax_rules.rs");
        let codes: BTreeSet<&str> = rules
            .split("rejection(")
            .skip(1)
            .filter_map(|after| after.trim_start().strip_prefix('"')?.split_once('"'))
            .map(|(code, _)| code)
            .collect();
        assert!(codes.len() >= 11, "{codes:?}");
        let unknown: Vec<&&str> = codes.iter().filter(|code| meaning(code) == UNKNOWN).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!(meaning("never heard of"), UNKNOWN);
    }

    #[test]
    fn who_acts_is_told_in_both_languages() {
        let told = |acts: Acts| (acts.english(), acts.chinese());
        let all = [Acts::Employer, Acts::Staff, Acts::Operator, Acts::Nobody];
        let expected = [
            ("the employer", "用人单位"),
            ("staff", "残联工作人员"),
            ("the operator", "系统管理员"),
            ("nobody", "无需操作"),
        ];
        assert_eq!(all.map(told), expected);
    }
}
