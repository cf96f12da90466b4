//! A sentence in both languages of the program: English, and Chinese for the employers' handlers.

use super::facts::words;

words! {
    /// The languages in which the program speaks to people.
    Language { English = "en", Chinese = "zh" }
}

/// One sentence, told twice. No full stop at its end: it stands in lists and after labels.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Said {
    pub en: String,
    pub zh: String,
}

impl Said {
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }

    /// Nothing is said in at least one of the languages.
    pub fn lacks_a_language(&self) -> bool {
        self.en.trim().is_empty() || self.zh.trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_told_in_the_language_asked_for_and_lacks_one_where_it_says_nothing() {
        let said = Said::new("passes", "通过");
        assert_eq!((said.get(Language::English), said.get(Language::Chinese)), ("passes", "通过"));
        assert!(!said.lacks_a_language());
        assert!(Said::new("passes", " ").lacks_a_language() && Said::new("", "通过").lacks_a_language());
    }
}
