//! What the `[deliver]` of an export may not say.

use super::Findings;
use crate::config::deliver::DeliverSettings;

impl Findings<'_> {
    pub(super) fn check_deliver(&mut self, deliver: &DeliverSettings) {
        self.check_placeholders(&deliver.texts());
        if !deliver.kind.is_in_this_build() {
            self.refuse(
                "deliver.type",
                format!(
                    "is `{}`, which is not in this build: build it with `--features delivery`, or deliver to a `directory`",
                    deliver.kind
                ),
            );
        }
        if let Err((key, what)) = deliver.target() {
            self.refuse(key, what);
        }
        let formats = &deliver.formats;
        let twice = formats.iter().enumerate().any(|(at, one)| formats[..at].contains(one));
        self.refuse_if(formats.is_empty() || twice, "deliver.formats", "names no form, or one twice");
        let division = &deliver.division;
        let digits = matches!(division.len(), 0 | 2 | 4 | 6) && division.bytes().all(|byte| byte.is_ascii_digit());
        self.refuse_if(
            !digits,
            "deliver.division",
            "is not the two, four or six first digits of a division code, such as `3601`",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Job, check_jobs};

    fn check(deliver: &str) -> Vec<String> {
        let text = format!("kind = \"export\"\n[deliver]\n{deliver}");
        let job = Job::parse(Path::new("job.toml"), &text).expect("well formed");
        check_jobs(&[job]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_folder_needs_its_path_and_nothing_of_a_server() {
        assert_eq!(check("type = \"directory\"\npath = \"out\"\n"), Vec::<String>::new());
        assert_eq!(check("type = \"directory\"\n"), ["job.toml:2: `deliver.path`: is missing: `directory` needs it"]);
        assert_eq!(
            check("type = \"directory\"\npath = \"out\"\nbucket = \"b\"\n"),
            ["job.toml:5: `deliver.bucket`: belongs to `type = \"s3\"`, not to `directory`"]
        );
    }

    #[test]
    fn forms_and_divisions_are_those_that_there_are() {
        let folder = "type = \"directory\"\npath = \"out\"\n";
        assert_eq!(
            check(&format!("{folder}formats = []\ndivision = \"36x\"\n")),
            [
                "job.toml:5: `deliver.formats`: names no form, or one twice",
                "job.toml:6: `deliver.division`: is not the two, four or six first digits of a division code, such as `3601`",
            ]
        );
    }

    #[test]
    fn servers_are_accepted_in_a_build_that_delivers_to_them_and_in_no_other() {
        let sftp = "type = \"sftp\"\nhost = \"h\"\nuser = \"u\"\nhost_key = \"ssh-ed25519 A\"\npassword = \"${P}\"\npath = \"in\"\n";
        let s3 =
            "type = \"s3\"\nendpoint = \"https://s\"\nbucket = \"b\"\naccess_key = \"${A}\"\nsecret_key = \"${S}\"\n";
        for deliver in [sftp, s3] {
            let refused = check(deliver);
            assert_eq!(refused.is_empty(), cfg!(feature = "delivery"), "{refused:?}");
            assert!(refused.iter().all(|fault| fault.contains("`--features delivery`")), "{refused:?}");
        }
    }

    #[test]
    fn only_an_export_delivers_and_every_export_does() {
        let check = |text: &str| {
            let job = Job::parse(Path::new("job.toml"), text).expect("well formed");
            check_jobs(&[job]).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            check("kind = \"export\"\n"),
            ["job.toml: `deliver`: is missing: an export says where its files go"]
        );
        assert_eq!(
            check("kind = \"push\"\n[deliver]\ntype = \"directory\"\npath = \"out\"\n"),
            ["job.toml:2: `deliver`: has no place in a job of kind `push`: only an export writes files"]
        );
    }
}
