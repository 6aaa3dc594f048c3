//! SMB dialogues built byte by byte: what they become, and that no damage to them panics.

use expect_test::expect;

use super::*;
use crate::ntlmssp::sample_authenticate;
use crate::testing;
use crate::testing::{Turn, check_turns, client, server};

const PENDING: u32 = 0x103;
const MORE: u32 = 0xc000_0016;

/// An SMB2 message with this body; `next` is set when messages are chained.
fn smb2(command: u16, id: u64, status: u32, response: bool, body: &[u8]) -> Vec<u8> {
    let mut message = b"\xfeSMB\x40\0\0\0".to_vec();
    message.extend(status.to_le_bytes());
    message.extend(command.to_le_bytes());
    message.extend([1, 0]);
    message.extend(u32::from(response).to_le_bytes());
    message.extend([0; 4]);
    message.extend(id.to_le_bytes());
    message.extend([0, 0, 0, 0, 7, 0, 0, 0]); // tree 7
    message.extend(9u64.to_le_bytes()); // session
    message.extend([0; 16]);
    message.extend(body);
    message
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// Chains messages: pads to eight bytes and points each at the next.
fn chained(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut all = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let mut message = message.clone();
        if index + 1 < messages.len() {
            message.resize(message.len().next_multiple_of(8), 0);
            let next = (message.len() as u32).to_le_bytes();
            message[20..24].copy_from_slice(&next);
        }
        all.extend(message);
    }
    all
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn setup_request(id: u64, blob: &[u8]) -> Vec<u8> {
    let mut body = [&[25, 0, 0, 1][..], &[0; 8]].concat();
    body.extend(88u16.to_le_bytes());
    body.extend((blob.len() as u16).to_le_bytes());
    body.extend([0; 8]);
    body.extend(blob);
    framed(&smb2(1, id, 0, false, &body))
}

fn setup_response(id: u64, status: u32, flags: u8) -> Vec<u8> {
    framed(&smb2(1, id, status, true, &[9, 0, flags, 0, 72, 0, 0, 0]))
}

fn negotiated() -> Vec<Turn> {
    let request = framed(&smb2(0, 0, 0, false, &[36, 0, 1, 0]));
    let response = framed(&smb2(0, 0, 0, true, &[65, 0, 1, 0, 0x11, 3, 0, 0]));
    vec![client(request), server(response)]
}

fn create_request(id: u64, name: &str, options: u32) -> Vec<u8> {
    let mut body = vec![0; 56];
    body[40..44].copy_from_slice(&options.to_le_bytes());
    body[44..46].copy_from_slice(&120u16.to_le_bytes());
    body[46..48].copy_from_slice(&(2 * name.len() as u16).to_le_bytes());
    body.extend(utf16(name));
    smb2(5, id, 0, false, &body)
}

fn create_response(id: u64, action: u8, file: u8) -> Vec<u8> {
    let mut body = vec![0; 80];
    body[4] = action;
    body[64..].fill(file);
    smb2(5, id, 0, true, &body)
}

fn with_file(command: u16, id: u64, file: u8) -> Vec<u8> {
    let at = if command == 6 { 8 } else { 16 };
    smb2(
        command,
        id,
        0,
        false,
        &[vec![0; at], vec![file; 16], vec![0; 16]].concat(),
    )
}

#[test]
fn logins() {
    let ntlm = |user| sample_authenticate(user, "LAB", "PC33");
    let mut turns = negotiated();
    turns.extend([
        client(setup_request(1, b"NTLMSSP\0\x01\0\0\0")),
        server(setup_response(1, MORE, 0)),
        client(setup_request(2, &ntlm("kim"))),
        server(setup_response(2, 0xc000_006d, 0)),
        client(setup_request(3, &ntlm("kim"))),
        server(setup_response(3, PENDING, 0)),
        server(setup_response(3, 0, 0)),
        client(setup_request(4, &ntlm(""))),
        server(setup_response(4, 0, 2)),
        client(setup_request(
            5,
            b"\x60\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00",
        )),
        server(setup_response(5, 0xc000_009a, 0)),
        client(setup_request(6, &ntlm("zoe"))),
    ]);
    check_turns::<Smb>(
        &turns,
        &expect![[r#"
            login refused 1s
              smb.user kim
              smb.domain LAB
              smb.host PC33
              smb.auth ntlm
              smb.version 3.1.1
              smb.status C000006D
              smb.status_name STATUS_LOGON_FAILURE
            login accepted 2s
              smb.user kim
              smb.domain LAB
              smb.host PC33
              smb.auth ntlm
              smb.version 3.1.1
              smb.status 00000000
              smb.status_name STATUS_SUCCESS
            login accepted 1s
              smb.user 
              smb.domain LAB
              smb.host PC33
              smb.auth ntlm
              smb.version 3.1.1
              smb.status 00000000
              smb.status_name STATUS_SUCCESS
              smb.guest true
            login unknown 1s
              smb.auth kerberos
              smb.version 3.1.1
              smb.status C000009A
              smb.status_name STATUS_INSUFFICIENT_RESOURCES
            login unknown 1s
              smb.user zoe
              smb.domain LAB
              smb.host PC33
              smb.auth ntlm
              smb.version 3.1.1
            want Nothing
        "#]],
    );
}

#[test]
fn shares_and_files() {
    let share = utf16(r"\\dc\admin$");
    let mut connect = vec![9, 0, 0, 0, 72, 0, share.len() as u8, 0];
    connect.extend(share);
    let read_answer = [&[17, 0, 80, 0][..], &70_000u32.to_le_bytes(), &[0; 8]].concat();
    let large = [&smb2(8, 4, 0, true, &read_answer)[..], &[0xaa; 9000]].concat();
    let rename = [vec![33, 0, 1, 10], vec![0; 12], vec![3; 16], vec![0; 8]].concat();
    let turns = [
        client(framed(&smb2(3, 2, 0, false, &connect))),
        server(framed(&smb2(3, 2, 0, true, &[16, 0, 1, 0]))),
        client(framed(&create_request(3, "svc.exe", 0))),
        server(framed(&create_response(3, 1, 5))),
        client(framed(&with_file(8, 4, 5))),
        server(framed(&large)),
        client(framed(&with_file(6, 5, 5))),
        server(framed(&smb2(6, 5, 0, true, &[60, 0]))),
        // Opened, and closed by "the file of the request before".
        client(framed(&chained(&[
            create_request(6, "old.txt", 0x1000),
            with_file(6, 7, 0xff),
        ]))),
        server(framed(&chained(&[
            create_response(6, 1, 6),
            smb2(6, 7, 0, true, &[60, 0]),
        ]))),
        client(framed(&create_request(8, "none", 0))),
        server(framed(&smb2(5, 8, 0xc000_0034, true, &[9, 0]))),
        client(framed(&create_request(9, "a", 0))),
        server(framed(&create_response(9, 2, 3))),
        client(framed(&smb2(17, 10, 0, false, &rename))),
        server(framed(&smb2(17, 10, 0, true, &[2, 0]))),
    ];
    let text = crate::testing::render::<Smb>(&turns);
    expect![[r#"
        access accepted 1s
          smb.share \\dc\admin$
          smb.status 00000000
          smb.status_name STATUS_SUCCESS
        file accepted 5s
          smb.share \\dc\admin$
          smb.file svc.exe
          smb.action read
          smb.read_bytes 70000
          smb.status 00000000
          smb.status_name STATUS_SUCCESS
        file accepted 1s
          smb.share \\dc\admin$
          smb.file old.txt
          smb.action delete
          smb.status 00000000
          smb.status_name STATUS_SUCCESS
        file refused 1s
          smb.share \\dc\admin$
          smb.file none
          smb.action open
          smb.status C0000034
          smb.status_name STATUS_OBJECT_NAME_NOT_FOUND
        file accepted 3s
          smb.share \\dc\admin$
          smb.file a
          smb.action rename
          smb.status 00000000
          smb.status_name STATUS_SUCCESS
        want Nothing
    "#]]
    .assert_eq(&text);
    let parts = crate::testing::parts(&turns);
    testing::check_stream::<Smb>(&testing::tcp(445), &parts);
}

#[test]
fn encryption_ends_it() {
    let mut turns = negotiated();
    turns.push(client(setup_request(
        2,
        &sample_authenticate("kim", "LAB", "PC33"),
    )));
    turns.push(server(framed(b"\xfdSMB0123456789")));
    check_turns::<Smb>(
        &turns,
        &expect![[r#"
            login unknown 1s
              smb.user kim
              smb.domain LAB
              smb.host PC33
              smb.auth ntlm
              smb.version 3.1.1
            want Nothing
        "#]],
    );
}

/// An SMB1 message: header, words, bytes.
fn smb1(command: u8, status: u32, reply: bool, words: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff, b'S', b'M', b'B', command];
    message.extend(status.to_le_bytes());
    message.extend([if reply { 0x80 } else { 0 }, 0, 0x40]);
    message.extend([0; 12]);
    message.extend([7, 0, 1, 0, 9, 0, 4, 0]);
    message.push((words.len() / 2) as u8);
    message.extend(words);
    message.extend((bytes.len() as u16).to_le_bytes());
    message.extend(bytes);
    message
}

#[test]
fn smb1_login_chained_with_tree() {
    let mut setup = vec![0; 26];
    setup[0] = 0x75;
    let bytes = b"\x11\x22\x33kim\0LAB\0Unix\0Samba\0";
    setup[14] = 3;
    let offset = 32 + 1 + 26 + 2 + bytes.len();
    setup[2] = offset as u8;
    let mut request = smb1(0x73, 0, false, &setup, bytes);
    let tree = b"\x04\xff\0\0\0\0\0\x01\0\x0e\0\0\\\\DC\\IPC$\0?????\0";
    request.extend(tree);
    let mut answer = smb1(0x73, 0, true, &[0x75, 0, 41, 0, 1, 0], b"");
    answer.extend(b"\x03\xff\0\0\0\0\0\0\0");
    let turns = [
        client(framed(&request)),
        server(framed(&answer)),
        client(framed(&smb1(0x73, 0, false, &setup[..20], b"\x11\x22\x33eve\0"))),
        server(framed(&smb1(0x73, 0xc000_006d, true, &[], b""))),
    ];
    check_turns::<Smb>(
        &turns,
        &expect![[r#"
            login accepted 1s
              smb.user kim
              smb.domain LAB
              smb.auth plain
              smb.version 1
              smb.native_os Unix
              smb.status 00000000
              smb.status_name STATUS_SUCCESS
              smb.guest true
            access accepted 1s
              smb.user kim
              smb.share \\DC\IPC$
              smb.status 00000000
              smb.status_name STATUS_SUCCESS
            login refused 1s
              smb.user eve
              smb.auth plain
              smb.version 1
              smb.status C000006D
              smb.status_name STATUS_LOGON_FAILURE
            want Nothing
        "#]],
    );
}

#[test]
fn probes() {
    let setup = setup_response(1, 0, 0);
    assert_eq!(Smb::probe(&setup, Side::Responder, (4450, 40000)), Probe::Match);
    assert_eq!(
        Smb::probe(&setup[..3], Side::Responder, (4450, 40000)),
        Probe::NeedMore
    );
    assert_eq!(
        Smb::probe(b"GET / HTTP/1.1", Side::Initiator, (40000, 80)),
        Probe::NoMatch
    );
    let joined_late = [&[1, 2, 3][..], &setup].concat();
    assert_eq!(
        Smb::probe(&joined_late, Side::Responder, (445, 40000)),
        Probe::Match
    );
}

#[test]
fn tables_are_bounded() {
    let mut turns = Vec::new();
    for id in 0..1000 {
        turns.push(client(framed(&create_request(id, "f", 0))));
        if id % 2 == 0 {
            turns.push(server(framed(&create_response(id, 1, id as u8))));
        }
    }
    let text = crate::testing::render::<Smb>(&turns);
    let odd = text
        .lines()
        .rfind(|line| line.starts_with("odd"))
        .map(str::to_owned);
    expect!["odd protocol_limit x616"].assert_eq(&odd.unwrap_or_default());
}
