//! Whether a value fits a JSON Schema, as far as the schema of events uses its words: an unknown word is no fit but an error of the test.

use renzheng::domain::ids::Uscc;
use renzheng::domain::month::Month;
use serde_json::Value;

/// What does not fit, and where; nothing where everything does. `root` is the schema as a whole.
pub fn misfits(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (word, rule) in schema.as_object().expect("a schema") {
        let fits = match word.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let name = rule.as_str().and_then(|path| path.strip_prefix("#/$defs/")).expect("a definition");
                found.extend(misfits(root, &root["$defs"][name], value, at));
                true
            }
            "oneOf" => {
                let of = rule.as_array().expect("schemas");
                of.iter().filter(|one| misfits(root, one, value, at).is_empty()).count() == 1
            }
            "anyOf" => rule.as_array().expect("schemas").iter().any(|one| misfits(root, one, value, at).is_empty()),
            "type" => {
                let named =
                    rule.as_str().map_or_else(|| rule.as_array().cloned().unwrap_or_default(), |one| vec![one.into()]);
                named.iter().any(|name| is_of_type(name.as_str().expect("a type"), value))
            }
            "const" => rule == value,
            "enum" => rule.as_array().expect("values").contains(value),
            "required" => {
                let names = rule.as_array().expect("names");
                names.iter().all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            "properties" => {
                for (name, of_property) in rule.as_object().expect("properties") {
                    if let Some(property) = value.get(name) {
                        found.extend(misfits(root, of_property, property, &format!("{at}/{name}")));
                    }
                }
                true
            }
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(misfits(root, rule, item, &format!("{at}/{place}")));
                }
                true
            }
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().expect("a number")),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().expect("a number")),
            "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().expect("a number")),
            "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().expect("a number")),
            "format" => has_format(rule.as_str().expect("a format"), value),
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                match rule.as_str().expect("a pattern") {
                    "^[0-9A-HJ-NP-RT-UW-Y]{18}$" => Uscc::parse(text).is_ok(),
                    "^[0-9]{4}-(0[1-9]|1[0-2])$" => text.parse::<Month>().is_ok(),
                    other => panic!("the pattern {other} is not known here"),
                }
            }
            other => panic!("the word `{other}` is not known here"),
        };
        if !fits {
            found.push(format!("{at}: {value} does not fit `{word}` {rule}"));
        }
    }
    found
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type {other} is not known here"),
    }
}

fn has_format(name: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match name {
        "uuid" => uuid::Uuid::parse_str(text).is_ok_and(|id| id.get_version_num() == 7),
        "date-time" => {
            chrono::DateTime::parse_from_rfc3339(text).is_ok_and(|at| text.ends_with("+08:00") && at.timestamp() > 0)
        }
        // of whole numbers: how large they may become
        "int16" | "int32" | "int64" | "uint32" => value.is_i64() || value.is_u64(),
        other => panic!("the format {other} is not known here"),
    }
}
