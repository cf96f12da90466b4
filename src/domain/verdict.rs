//! The seven checks, their codes, and the verdict on one month; how a month is packed into one integer.

use super::facts::words;

words! {
    /// The checks, in the order of the grid.
    Check {
        Wage = "wage",
        Pension = "pension",
        Medical = "medical",
        Certificate = "certificate",
        Age = "age",
        Contract = "contract",
        Dispatch = "dispatch",
    }
}
words! {
    /// What a verdict says of a month, part by part: its checks, whether another employer claims or would count it, how much it counts.
    Part {
        Wage = "wage",
        Pension = "pension",
        Medical = "medical",
        Certificate = "certificate",
        Age = "age",
        Contract = "contract",
        Dispatch = "dispatch",
        Conflict = "conflict",
        Weight = "weight",
    }
}
words! {
    /// 工资信息
    WageCode {
        Pass = "pass", Pending = "pending", BelowMinimum = "below_minimum", WrongUnit = "wrong_unit", NoRecord = "no_record",
    }
}
words! {
    /// 社保参保状态, 医保参保状态
    InsuranceCode {
        Pass = "pass",
        BackPayment = "back_payment",
        Pending = "pending",
        Unpaid = "unpaid",
        WrongUnit = "wrong_unit",
        ResidentScheme = "resident_scheme",
        NoRecord = "no_record",
    }
}
words! {
    /// 残疾证状态
    CertificateCode {
        Pass = "pass",
        Pending = "pending",
        Cancelled = "cancelled",
        Frozen = "frozen",
        Expired = "expired",
        NotYetValid = "not_yet_valid",
        None = "none",
    }
}
words! {
    /// 是否就业年龄段
    AgeCode { Pass = "pass", UnderAge = "under_age", OverAge = "over_age" }
}
words! {
    /// 合同状态
    ContractCode { Pass = "pass", TooShort = "too_short", NotCovered = "not_covered", None = "none" }
}
words! {
    /// 劳务派遣备案
    DispatchCode {
        NotApplicable = "not_applicable",
        Pass = "pass",
        Pending = "pending",
        NotInForce = "not_in_force",
        NotApproved = "not_approved",
        NotFiled = "not_filed",
    }
}

/// One code per check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Codes {
    pub wage: WageCode,
    pub pension: InsuranceCode,
    pub medical: InsuranceCode,
    pub certificate: CertificateCode,
    pub age: AgeCode,
    pub contract: ContractCode,
    pub dispatch: DispatchCode,
}

/// What a cell says to a person: √, Ⅹ, …, or nothing to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Pass,
    Fail,
    Pending,
    NotApplicable,
}

impl Sign {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "√",
            Self::Fail => "Ⅹ",
            Self::Pending => "…",
            Self::NotApplicable => "–",
        }
    }

    fn of(code: &str) -> Self {
        match code {
            "pass" => Self::Pass,
            "pending" => Self::Pending,
            "not_applicable" => Self::NotApplicable,
            _ => Self::Fail,
        }
    }
}

impl Codes {
    /// The code of one check, as its word.
    pub fn get(&self, check: Check) -> &'static str {
        match check {
            Check::Wage => self.wage.as_str(),
            Check::Pension => self.pension.as_str(),
            Check::Medical => self.medical.as_str(),
            Check::Certificate => self.certificate.as_str(),
            Check::Age => self.age.as_str(),
            Check::Contract => self.contract.as_str(),
            Check::Dispatch => self.dispatch.as_str(),
        }
    }

    pub fn sign(&self, check: Check) -> Sign {
        Sign::of(self.get(check))
    }

    /// Every check passes or does not apply; conflict apart.
    pub fn pass(&self) -> bool {
        self.wage == WageCode::Pass
            && self.pension == InsuranceCode::Pass
            && self.medical == InsuranceCode::Pass
            && self.certificate == CertificateCode::Pass
            && self.age == AgeCode::Pass
            && self.contract == ContractCode::Pass
            && matches!(self.dispatch, DispatchCode::Pass | DispatchCode::NotApplicable)
    }
}

/// The judgement of one month of one placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    pub codes: Codes,
    /// Another employer claims the month or would count it too.
    pub conflict: bool,
    /// 1, or 2 for a severe disability.
    pub weight: u8,
}

impl Verdict {
    pub fn passed(&self) -> bool {
        self.codes.pass() && !self.conflict
    }

    /// What it says of one part, in a word: the code of a check, `true` or `false`, `1` or `2`.
    pub fn get(&self, part: Part) -> &'static str {
        match part {
            Part::Wage => self.codes.get(Check::Wage),
            Part::Pension => self.codes.get(Check::Pension),
            Part::Medical => self.codes.get(Check::Medical),
            Part::Certificate => self.codes.get(Check::Certificate),
            Part::Age => self.codes.get(Check::Age),
            Part::Contract => self.codes.get(Check::Contract),
            Part::Dispatch => self.codes.get(Check::Dispatch),
            Part::Conflict if self.conflict => "true",
            Part::Conflict => "false",
            Part::Weight if self.weight == 2 => "2",
            Part::Weight => "1",
        }
    }

    /// One integer a month: three bits a check from bit 0 in the order of [`Check::ALL`], then conflict (bit 21),
    /// weight − 1 (bit 22), passed (bit 23). The view `api.verification_month` unpacks the same layout.
    pub fn pack(&self) -> i32 {
        let codes = [
            self.codes.wage.number(),
            self.codes.pension.number(),
            self.codes.medical.number(),
            self.codes.certificate.number(),
            self.codes.age.number(),
            self.codes.contract.number(),
            self.codes.dispatch.number(),
        ];
        let bits = codes.iter().enumerate().fold(0_i32, |bits, (check, code)| bits | i32::from(*code) << (3 * check));
        bits | i32::from(self.conflict) << 21 | i32::from(self.weight == 2) << 22 | i32::from(self.passed()) << 23
    }

    /// The inverse of [`Verdict::pack`]; `None` if no verdict packs so.
    pub fn unpack(bits: i32) -> Option<Self> {
        let code = |check: Check| ((bits >> (3 * check.number())) & 7) as u8;
        let verdict = Self {
            codes: Codes {
                wage: WageCode::from_number(code(Check::Wage))?,
                pension: InsuranceCode::from_number(code(Check::Pension))?,
                medical: InsuranceCode::from_number(code(Check::Medical))?,
                certificate: CertificateCode::from_number(code(Check::Certificate))?,
                age: AgeCode::from_number(code(Check::Age))?,
                contract: ContractCode::from_number(code(Check::Contract))?,
                dispatch: DispatchCode::from_number(code(Check::Dispatch))?,
            },
            conflict: bits >> 21 & 1 == 1,
            weight: 1 + (bits >> 22 & 1) as u8,
        };
        (verdict.pack() == bits).then_some(verdict)
    }
}

#[cfg(test)]
impl Codes {
    pub(super) const PASSING: Self = Self {
        wage: WageCode::Pass,
        pension: InsuranceCode::Pass,
        medical: InsuranceCode::Pass,
        certificate: CertificateCode::Pass,
        age: AgeCode::Pass,
        contract: ContractCode::Pass,
        dispatch: DispatchCode::Pass,
    };

    /// Every code of every check, all other checks passing.
    pub(super) fn one_by_one() -> Vec<(Check, Self)> {
        const PASS: Codes = Codes::PASSING;
        let wages = WageCode::ALL.iter().map(|&wage| (Check::Wage, Self { wage, ..PASS }));
        let pensions = InsuranceCode::ALL.iter().map(|&pension| (Check::Pension, Self { pension, ..PASS }));
        let medicals = InsuranceCode::ALL.iter().map(|&medical| (Check::Medical, Self { medical, ..PASS }));
        let certificates =
            CertificateCode::ALL.iter().map(|&certificate| (Check::Certificate, Self { certificate, ..PASS }));
        let ages = AgeCode::ALL.iter().map(|&age| (Check::Age, Self { age, ..PASS }));
        let contracts = ContractCode::ALL.iter().map(|&contract| (Check::Contract, Self { contract, ..PASS }));
        let dispatches = DispatchCode::ALL.iter().map(|&dispatch| (Check::Dispatch, Self { dispatch, ..PASS }));
        let insured = wages.chain(pensions).chain(medicals);
        insured.chain(certificates).chain(ages).chain(contracts).chain(dispatches).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every combination of codes.
    fn every() -> impl Iterator<Item = Codes> {
        WageCode::ALL.iter().flat_map(|&wage| {
            InsuranceCode::ALL.iter().flat_map(move |&pension| {
                InsuranceCode::ALL.iter().flat_map(move |&medical| {
                    CertificateCode::ALL.iter().flat_map(move |&certificate| {
                        AgeCode::ALL.iter().flat_map(move |&age| {
                            ContractCode::ALL.iter().flat_map(move |&contract| {
                                DispatchCode::ALL.iter().map(move |&dispatch| Codes {
                                    wage,
                                    pension,
                                    medical,
                                    certificate,
                                    age,
                                    contract,
                                    dispatch,
                                })
                            })
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn every_verdict_is_unpacked_as_it_was_packed() {
        let mut verdicts = 0;
        for codes in every() {
            for (conflict, weight) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
                let verdict = Verdict { codes, conflict, weight };
                assert_eq!(Verdict::unpack(verdict.pack()), Some(verdict));
                verdicts += 1;
            }
        }
        assert_eq!(verdicts, 5 * 7 * 7 * 7 * 3 * 4 * 6 * 4);
    }

    #[test]
    fn each_part_of_a_verdict_is_told_in_a_word() {
        let verdict =
            Verdict { codes: Codes { wage: WageCode::WrongUnit, ..Codes::PASSING }, conflict: true, weight: 2 };
        let told = |verdict: Verdict| Part::ALL.iter().map(|part| verdict.get(*part)).collect::<Vec<_>>().join(" ");
        assert_eq!(told(verdict), "wrong_unit pass pass pass pass pass pass true 2");
        let passing = Verdict { codes: Codes::PASSING, conflict: false, weight: 1 };
        assert_eq!(told(passing), "pass pass pass pass pass pass pass false 1");
        // a part that is a check goes by its name
        for (check, part) in Check::ALL.iter().zip(Part::ALL) {
            assert_eq!(check.as_str(), part.as_str());
        }
    }

    #[test]
    fn a_month_passes_when_no_sign_is_a_cross_or_dots_and_nobody_else_claims_it() {
        for codes in every() {
            let passing = |check: &Check| matches!(codes.sign(*check), Sign::Pass | Sign::NotApplicable);
            assert_eq!(codes.pass(), Check::ALL.iter().all(passing), "{codes:?}");
        }
        assert!(Verdict { codes: Codes::PASSING, conflict: false, weight: 1 }.passed());
        assert!(!Verdict { codes: Codes::PASSING, conflict: true, weight: 1 }.passed());
    }

    #[test]
    fn the_packed_layout_is_the_one_the_view_unpacks() {
        let verdict = |codes, conflict, weight| Verdict { codes, conflict, weight }.pack();
        let own = Codes { dispatch: DispatchCode::NotApplicable, ..Codes::PASSING };
        assert_eq!(verdict(own, false, 1), 1 << 23);
        assert_eq!(verdict(own, true, 2), 1 << 21 | 1 << 22);
        let worst = Codes {
            wage: WageCode::NoRecord,
            pension: InsuranceCode::NoRecord,
            medical: InsuranceCode::NoRecord,
            certificate: CertificateCode::None,
            age: AgeCode::OverAge,
            contract: ContractCode::None,
            dispatch: DispatchCode::NotFiled,
        };
        assert_eq!(verdict(worst, false, 1), 4 | 6 << 3 | 6 << 6 | 6 << 9 | 2 << 12 | 3 << 15 | 5 << 18);
    }

    proptest! {
        #[test]
        fn an_integer_that_no_verdict_packs_to_is_not_unpacked(bits: i32) {
            if let Some(verdict) = Verdict::unpack(bits) {
                prop_assert_eq!(verdict.pack(), bits);
            }
            if let Some(verdict) = Verdict::unpack(bits & 0x00ff_ffff) {
                prop_assert_eq!(verdict.pack(), bits & 0x00ff_ffff);
            }
        }
    }

    #[test]
    fn signs_are_those_of_the_page_of_the_national_system() {
        let signs = [Sign::Pass, Sign::Fail, Sign::Pending, Sign::NotApplicable].map(Sign::as_str);
        assert_eq!(signs, ["√", "Ⅹ", "…", "–"]);
    }
}
