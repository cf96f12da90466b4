//! Files as they are handed in by the careless and the hostile: each is refused with its sentence, or made harmless.

use renzheng::declare::evidence::{EvidenceError, Form};
use renzheng::domain::evidence::clean_file_name;

use super::made::{
    OFD_XML, PLACE, archive, deflated, jpeg, object_stream, ofd, pdf, photograph, png, png_of_size, signed_pdf, stream,
};
use super::{Desk, code};

type Bad = (&'static str, &'static str, Vec<u8>);

fn wrong_kinds() -> Vec<Bad> {
    let with = |content: &[u8], more: &[u8]| [content, more].concat();
    vec![
        ("nothing", "a.pdf", Vec::new()),
        ("eleven megabytes", "a.pdf", with(&pdf(b""), &vec![b' '; 11 * 1024 * 1024])),
        ("a text", "a.txt", b"wages were paid".to_vec()),
        ("a text called a PDF", "a.pdf", b"wages were paid".to_vec()),
        ("a page", "a.html", b"<!DOCTYPE html><script>1</script>".to_vec()),
        ("a drawing with script", "a.svg", b"<svg onload=\"alert(1)\"/>".to_vec()),
        ("an old Word file", "a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()),
        ("a GIF", "a.gif", b"GIF89a\x01\0\x01\0".to_vec()),
        ("a TIFF", "a.tif", b"II*\0\x08\0\0\0".to_vec()),
        ("a program", "a.exe", b"MZ\x90\0".to_vec()),
        ("a RAR archive", "a.rar", b"Rar!\x1a\x07\0".to_vec()),
        ("a zero byte alone", "a.png", b"\0".to_vec()),
        ("a PNG called JPEG", "a.jpg", png()),
        ("a JPEG called PDF", "a.pdf", jpeg()),
        ("a PDF called a program", "a.pdf.exe", pdf(b"")),
        ("a PDF called a program by a turned name", "invoice\u{202e}fdp.exe", pdf(b"")),
        ("a PDF called OFD", "a.ofd", pdf(b"")),
    ]
}

fn two_in_one() -> Vec<Bad> {
    let with = |content: &[u8], more: &[u8]| [content, more].concat();
    let zip = archive(&[("a.txt", b"hidden")]);
    vec![
        ("a PDF behind a blank", "a.pdf", with(b" ", &pdf(b""))),
        ("a PDF behind a page", "a.pdf", with(b"<html>", &pdf(b""))),
        ("a ZIP behind a JPEG", "a.jpg", with(&jpeg(), &zip)),
        ("a ZIP behind a PNG", "a.png", with(&png(), &zip)),
        ("a ZIP behind a PDF", "a.pdf", with(&pdf(b""), &zip)),
        ("a PDF in a JPEG's head", "a.jpg", with(&jpeg()[..20], &with(b"%PDF-1.4", &jpeg()[20..]))),
        ("a script behind a JPEG", "a.jpg", with(&jpeg(), b"<script>alert(1)</script>")),
        ("PHP behind a PNG", "a.png", with(&png(), b"<?php system(1);")),
        ("a RAR behind a JPEG", "a.jpg", with(&jpeg(), b"Rar!\x1a\x07\0")),
        ("something behind a PNG", "a.png", with(&png(), b"something")),
        ("a program before an OFD", "a.ofd", with(b"MZ\x90\0", &ofd(&[]))),
    ]
}

fn pictures() -> Vec<Bad> {
    let (jpeg, png) = (jpeg(), png());
    vec![
        ("half a JPEG", "a.jpg", jpeg[..jpeg.len() / 2].to_vec()),
        ("half a PNG", "a.png", png[..png.len() / 2].to_vec()),
        ("a JPEG's first bytes", "a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\xff\xd9".to_vec()),
        ("noise that begins as a PNG", "a.png", [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 400]].concat()),
        ("a PNG of 400 million pixels", "a.png", png_of_size(20_000, 20_000, false)),
        ("a PNG of 64 million black pixels", "a.png", png_of_size(8_000, 8_000, true)),
        ("a PNG without its pixels", "a.png", png_of_size(100, 100, false)),
    ]
}

fn documents() -> Vec<Bad> {
    let plain = |objects: &str| pdf(objects.as_bytes());
    let whole = pdf(&stream("/Filter /FlateDecode", &deflated(&[b'x'; 5000])));
    let zeros = deflated(&vec![0; 130 * 1024 * 1024]);
    let mut many = Vec::new();
    for number in 0..200_001 {
        many.extend(format!("{number} 0 obj 0 endobj\n").bytes());
    }
    vec![
        ("a script at opening", "a.pdf", plain("5 0 obj << /OpenAction << /S /JavaScript /JS (x) >> >> endobj")),
        ("a script by an escaped name", "a.pdf", plain("5 0 obj << /S /J#61vaScript >> endobj")),
        ("a script by an escaped key", "a.pdf", plain("5 0 obj << /#4A#53 (x) >> endobj")),
        ("a launched program", "a.pdf", plain("5 0 obj << /S /Launch /Win << /F (cmd.exe) >> >> endobj")),
        ("an embedded file", "a.pdf", pdf(&stream("/Type /EmbeddedFile", b"MZ"))),
        ("a list of embedded files", "a.pdf", plain("5 0 obj << /Names << /EmbeddedFiles 6 0 R >> >> endobj")),
        ("an attachment without its type", "a.pdf", plain("5 0 obj << /EF << /F 6 0 R >> >> endobj")),
        ("a note that is a file", "a.pdf", plain("5 0 obj << /Subtype /FileAttachment >> endobj")),
        ("rich media", "a.pdf", plain("5 0 obj << /Subtype /RichMedia >> endobj")),
        ("an XFA form", "a.pdf", plain("5 0 obj << /AcroForm << /XFA 6 0 R >> >> endobj")),
        ("an action of a page", "a.pdf", plain("5 0 obj << /AA << /O 6 0 R >> >> endobj")),
        ("a form that is sent", "a.pdf", plain("5 0 obj << /S /SubmitForm /F (https://example.invalid) >> endobj")),
        ("data that is read in", "a.pdf", plain("5 0 obj << /S /ImportData >> endobj")),
        ("a jump into an embedded file", "a.pdf", plain("5 0 obj << /S /GoToE >> endobj")),
        ("a script in an object stream", "a.pdf", pdf(&object_stream("<< /S /JavaScript /JS (x) >>"))),
        ("an escaped script in an object stream", "a.pdf", pdf(&object_stream("<< /S /JavaScrip#74 >>"))),
        ("a script in a text in an object stream", "a.pdf", pdf(&object_stream("( << /S /JavaScript >> )"))),
        (
            "an object stream of another name",
            "a.pdf",
            pdf(&stream("/N 1 /First 5 /Filter /FlateDecode", &deflated(b"1 0 << /JS 2 0 R >>"))),
        ),
        (
            "an object stream in hexadecimal digits",
            "a.pdf",
            pdf(&stream("/Type /ObjStm /Filter /ASCIIHexDecode", b"2f4a53>")),
        ),
        ("a damaged object stream", "a.pdf", pdf(&stream("/Type /ObjStm /Filter /FlateDecode", b"\x78\x9cnoise"))),
        ("an encrypted document", "a.pdf", plain("trailer << /Encrypt 5 0 R >>")),
        ("an object in a text", "a.pdf", plain("5 0 obj ( 6 0 obj << /S /JavaScript >> endobj ) endobj")),
        ("an object in a stream", "a.pdf", pdf(&stream("/Subtype /XML", b"xx 6 0 obj << /S /JavaScript >> endobj"))),
        (
            "a superseded script",
            "a.pdf",
            [plain("5 0 obj << /JS (x) >> endobj"), plain("5 0 obj null endobj")[9..].to_vec()].concat(),
        ),
        ("a stream that unpacks to 130 MB", "a.pdf", pdf(&stream("/Filter /FlateDecode", &zeros))),
        ("a stream packed twice", "a.pdf", pdf(&stream("/Filter [/FlateDecode /FlateDecode]", &deflated(&zeros)))),
        ("200,001 objects", "a.pdf", pdf(&many)),
        ("501 arrays in each other", "a.pdf", plain(&format!("5 0 obj {} endobj", "[".repeat(501)))),
        ("a PDF without its end", "a.pdf", whole[..whole.len() - 60].to_vec()),
        ("half a PDF", "a.pdf", whole[..whole.len() / 2].to_vec()),
    ]
}

fn archives() -> Vec<Bad> {
    let zeros = vec![0; 65 * 1024 * 1024];
    let entity = b"<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\">]><x>&a;</x>".as_slice();
    let names: Vec<String> = (0..2_001).map(|number| format!("Doc_0/{number}.xml")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"<x/>".as_slice())).collect();
    let whole = ofd(&[]);
    vec![
        ("an archive", "a.zip", archive(&[("a.txt", b"x")])),
        ("an archive called OFD", "a.ofd", archive(&[("a.xml", b"<x/>")])),
        ("an archive whose OFD.xml is none", "a.ofd", archive(&[("OFD.xml", b"<html/>")])),
        ("an OFD with a program", "a.ofd", ofd(&[("Doc_0/Attachs/a.exe", b"MZ")])),
        ("an OFD with a program called a picture", "a.ofd", ofd(&[("Doc_0/Res/a.png", b"MZ\x90\0")])),
        ("an OFD with a script", "a.ofd", ofd(&[("Doc_0/a.js", b"alert(1)")])),
        ("an OFD in an OFD", "a.ofd", ofd(&[("Doc_0/a.dat", &ofd(&[]))])),
        ("an OFD that leads outside", "a.ofd", ofd(&[("../a.xml", b"<x/>")])),
        ("an OFD that leads outside by a backslash", "a.ofd", ofd(&[("Doc_0\\..\\a.xml", b"<x/>")])),
        ("an OFD with an absolute name", "a.ofd", ofd(&[("/a.xml", b"<x/>")])),
        ("an OFD with a zero in a name", "a.ofd", ofd(&[("a\0.xml", b"<x/>")])),
        ("an OFD that unfolds entities", "a.ofd", ofd(&[("Doc_0/a.xml", entity)])),
        ("an OFD that unpacks to 65 MB", "a.ofd", ofd(&[("Doc_0/a.png", &zeros)])),
        ("an OFD of XML that unpacks to 65 MB", "a.ofd", ofd(&[("Doc_0/a.xml", &zeros)])),
        ("an OFD of 2,002 entries", "a.ofd", archive(&[&[OFD_XML], many.as_slice()].concat())),
        ("half an OFD", "a.ofd", whole[..whole.len() / 2].to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_are_refused_each_with_its_sentence_and_nothing_of_them_is_kept() {
    let desk = Desk::open("bad_files").await;
    let mut table = String::new();
    let all = [wrong_kinds(), two_in_one(), pictures(), documents(), archives()].concat();
    assert!(all.len() >= 60, "{}", all.len());
    for (what, name, content) in &all {
        let outcome = desk.hand_in(name, content).await;
        let told = match &outcome {
            Err(EvidenceError::Refused(refusal)) => {
                assert!(!refusal.chinese().is_empty(), "{what}");
                format!("{}: {refusal}", refusal.code())
            }
            other => format!("{other:?}"),
        };
        table.extend([what, ": ", &told, "\n"]);
    }
    insta::assert_snapshot!(table, @r###"
nothing: empty: the file is empty: choose it again
eleven megabytes: too_large: the file has more than 10 MB: compress it or divide it
a text: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a text called a PDF: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a page: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a drawing with script: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
an old Word file: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a GIF: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a TIFF: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a program: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a RAR archive: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a zero byte alone: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a PNG called JPEG: ending_disagrees: the name ends in .jpg, but the content is png: name the file as what it is
a JPEG called PDF: ending_disagrees: the name ends in .pdf, but the content is jpeg: name the file as what it is
a PDF called a program: ending_disagrees: the name ends in .exe, but the content is pdf: name the file as what it is
a PDF called a program by a turned name: ending_disagrees: the name ends in .exe, but the content is pdf: name the file as what it is
a PDF called OFD: ending_disagrees: the name ends in .ofd, but the content is pdf: name the file as what it is
a PDF behind a blank: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a PDF behind a page: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
a ZIP behind a JPEG: second_format: in the jpeg hides ZIP as well: export the file anew where it comes from
a ZIP behind a PNG: second_format: in the png hides ZIP as well: export the file anew where it comes from
a ZIP behind a PDF: second_format: in the pdf hides ZIP as well: export the file anew where it comes from
a PDF in a JPEG's head: second_format: in the jpeg hides PDF as well: export the file anew where it comes from
a script behind a JPEG: second_format: in the jpeg hides HTML as well: export the file anew where it comes from
PHP behind a PNG: second_format: in the png hides PHP as well: export the file anew where it comes from
a RAR behind a JPEG: second_format: in the jpeg hides RAR as well: export the file anew where it comes from
something behind a PNG: unreadable_picture: the png cannot be read as a picture: photograph or scan it again
a program before an OFD: unknown_format: the content is none of the formats that are taken, JPEG, PNG, PDF and OFD: convert the file
half a JPEG: truncated: the jpeg breaks off before its end: download or scan it again
half a PNG: truncated: the png breaks off before its end: download or scan it again
a JPEG's first bytes: unreadable_picture: the jpeg cannot be read as a picture: photograph or scan it again
noise that begins as a PNG: truncated: the png breaks off before its end: download or scan it again
a PNG of 400 million pixels: too_many_pixels: the picture has 20000 × 20000 pixels, accepted are 40 million in all: lower the resolution
a PNG of 64 million black pixels: too_many_pixels: the picture has 8000 × 8000 pixels, accepted are 40 million in all: lower the resolution
a PNG without its pixels: unreadable_picture: the png cannot be read as a picture: photograph or scan it again
a script at opening: active_pdf: the PDF holds a script, an attachment or an action (/JavaScript): hand in one without, such as the official download
a script by an escaped name: active_pdf: the PDF holds a script, an attachment or an action (/JavaScript): hand in one without, such as the official download
a script by an escaped key: active_pdf: the PDF holds a script, an attachment or an action (/JS): hand in one without, such as the official download
a launched program: active_pdf: the PDF holds a script, an attachment or an action (/Launch): hand in one without, such as the official download
an embedded file: active_pdf: the PDF holds a script, an attachment or an action (/EmbeddedFile): hand in one without, such as the official download
a list of embedded files: active_pdf: the PDF holds a script, an attachment or an action (/EmbeddedFiles): hand in one without, such as the official download
an attachment without its type: active_pdf: the PDF holds a script, an attachment or an action (/EF): hand in one without, such as the official download
a note that is a file: active_pdf: the PDF holds a script, an attachment or an action (/FileAttachment): hand in one without, such as the official download
rich media: active_pdf: the PDF holds a script, an attachment or an action (/RichMedia): hand in one without, such as the official download
an XFA form: active_pdf: the PDF holds a script, an attachment or an action (/XFA): hand in one without, such as the official download
an action of a page: active_pdf: the PDF holds a script, an attachment or an action (/AA): hand in one without, such as the official download
a form that is sent: active_pdf: the PDF holds a script, an attachment or an action (/SubmitForm): hand in one without, such as the official download
data that is read in: active_pdf: the PDF holds a script, an attachment or an action (/ImportData): hand in one without, such as the official download
a jump into an embedded file: active_pdf: the PDF holds a script, an attachment or an action (/GoToE): hand in one without, such as the official download
a script in an object stream: active_pdf: the PDF holds a script, an attachment or an action (/JavaScript): hand in one without, such as the official download
an escaped script in an object stream: active_pdf: the PDF holds a script, an attachment or an action (/JavaScript): hand in one without, such as the official download
a script in a text in an object stream: active_pdf: the PDF holds a script, an attachment or an action (/JavaScript): hand in one without, such as the official download
an object stream of another name: active_pdf: the PDF holds a script, an attachment or an action (/JS): hand in one without, such as the official download
an object stream in hexadecimal digits: obscure_pdf: the PDF cannot be looked into safely (an object stream in an unusual encoding): export it anew where it comes from
a damaged object stream: obscure_pdf: the PDF cannot be looked into safely (a damaged object stream): export it anew where it comes from
an encrypted document: encrypted_pdf: the PDF is encrypted and cannot be looked into: hand in one without a password
an object in a text: obscure_pdf: the PDF cannot be looked into safely (an object inside of a text): export it anew where it comes from
an object in a stream: obscure_pdf: the PDF cannot be looked into safely (an object inside of a stream): export it anew where it comes from
a superseded script: active_pdf: the PDF holds a script, an attachment or an action (/JS): hand in one without, such as the official download
a stream that unpacks to 130 MB: bomb: the pdf unpacks to more than is taken: export it anew where it comes from
a stream packed twice: bomb: the pdf unpacks to more than is taken: export it anew where it comes from
200,001 objects: bomb: the pdf unpacks to more than is taken: export it anew where it comes from
501 arrays in each other: bomb: the pdf unpacks to more than is taken: export it anew where it comes from
a PDF without its end: truncated: the pdf breaks off before its end: download or scan it again
half a PDF: truncated: the pdf breaks off before its end: download or scan it again
an archive: ending_disagrees: the name ends in .zip, but the content is ofd: name the file as what it is
an archive called OFD: no_ofd: the archive is no OFD, and other archives are not taken: hand in the files
an archive whose OFD.xml is none: no_ofd: the archive is no OFD, and other archives are not taken: hand in the files
an OFD with a program: ofd_entry: the OFD holds an attachment, a program or a script: hand in one without
an OFD with a program called a picture: ofd_entry: the OFD holds an attachment, a program or a script: hand in one without
an OFD with a script: ofd_entry: the OFD holds an attachment, a program or a script: hand in one without
an OFD in an OFD: ofd_entry: the OFD holds an attachment, a program or a script: hand in one without
an OFD that leads outside: ofd_entry_name: an entry of the OFD has a name that is not accepted: export it anew where it comes from
an OFD that leads outside by a backslash: ofd_entry_name: an entry of the OFD has a name that is not accepted: export it anew where it comes from
an OFD with an absolute name: ofd_entry_name: an entry of the OFD has a name that is not accepted: export it anew where it comes from
an OFD with a zero in a name: ofd_entry_name: an entry of the OFD has a name that is not accepted: export it anew where it comes from
an OFD that unfolds entities: ofd_entry: the OFD holds an attachment, a program or a script: hand in one without
an OFD that unpacks to 65 MB: bomb: the ofd unpacks to more than is taken: export it anew where it comes from
an OFD of XML that unpacks to 65 MB: bomb: the ofd unpacks to more than is taken: export it anew where it comes from
an OFD of 2,002 entries: bomb: the ofd unpacks to more than is taken: export it anew where it comes from
half an OFD: truncated: the ofd breaks off before its end: download or scan it again
"###);
    assert_eq!(desk.count("select count(*) from evidence").await, 0);
    assert_eq!(desk.files(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn good_files_of_every_format_come_back_bit_by_bit() {
    let desk = Desk::open("good_files").await;
    let page: &[(&str, &[u8])] =
        &[("Doc_0/Document.xml", b"<ofd:Document/>"), ("Doc_0/Signs/Sign_0/SignedValue.dat", b"0\x82\x01")];
    for (name, content) in [
        ("工资流水.JPG", jpeg()),
        ("a.jpeg", photograph()),
        ("a.png", png()),
        ("a", pdf(&object_stream("<< /Type /Font /S (a text that says launch) >>"))),
        ("signed.pdf", signed_pdf()),
        ("a.ofd", ofd(page)),
    ] {
        let attached = desk.hand_in(name, &content).await.expect(name);
        assert_eq!(attached.size_bytes as usize, content.len());
        assert_eq!(desk.content(attached.evidence_id, Form::Original).await.expect(name), content, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_sees_a_picture_the_right_way_up_and_without_what_the_camera_wrote() {
    let desk = Desk::open("rendition").await;
    let holds = |content: &[u8]| content.windows(PLACE.len()).any(|window| window == PLACE);
    let original = photograph();
    assert!(holds(&original));
    let attached = desk.hand_in("a.jpg", &original).await.expect("taken");
    let seen = desk.content(attached.evidence_id, Form::Rendition).await.expect("drawn");
    assert!(!holds(&seen) && !seen.windows(4).any(|window| window == b"Exif"));
    let picture = image::load_from_memory(&seen).expect("a picture").into_rgb8();
    assert_eq!(picture.dimensions(), (32, 64), "turned");
    assert!(picture.get_pixel(16, 4).0[0] > 200 && picture.get_pixel(16, 60).0[2] > 200, "the left half is on top");
    assert_eq!(desk.content(attached.evidence_id, Form::Original).await.expect("kept"), original);

    let document = desk.hand_in("a.pdf", &pdf(b"")).await.expect("taken");
    assert_eq!(code(desk.content(document.evidence_id, Form::Rendition).await), "no_rendition");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_elsewhere_or_turn_the_text_are_shown_without_that() {
    let desk = Desk::open("file_names").await;
    for name in ["../../etc/passwd.png", "a\0b.png", "photo\u{202e}gnp.\u{202c}png", "C:\\x\\y.png"] {
        // the same content again would keep its first name
        let content = [png(), vec![0; name.len()]].concat();
        let attached = desk.hand_in(name, &content).await.expect(name);
        let (evidence, _) = desk.store.find_evidence(attached.evidence_id).await.expect("found").expect("there");
        assert_eq!(evidence.file_name, clean_file_name(name));
        let odd = |sign: char| sign.is_control() || matches!(sign, '/' | '\\' | '\u{202a}'..='\u{202e}');
        assert!(!evidence.file_name.contains(odd), "{:?}", evidence.file_name);
    }
}
