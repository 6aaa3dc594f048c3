//! SSH dialogues built byte by byte: banners, key exchange, encrypted packets with readable lengths.

use expect_test::expect;

use super::*;
use crate::testing::{Turn, check_turns, client, render, server};

fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8;
    let len = (1 + payload.len() + padding) as u32;
    [&len.to_be_bytes()[..], &[padding as u8], payload, &[0; 8]].concat()
}

fn kexinit(lists: [&str; 8]) -> Vec<u8> {
    let mut payload = vec![20];
    payload.extend([7; 16]);
    for list in lists.iter().chain(&["", ""]) {
        payload.extend((list.len() as u32).to_be_bytes());
        payload.extend(list.as_bytes());
    }
    payload.extend([0; 5]);
    packet(&payload)
}

const GCM: &str = "aes256-gcm@openssh.com";

fn opening(cipher: &str, software: &str) -> Vec<Turn> {
    let offer = kexinit([
        "curve25519-sha256,x",
        "ssh-ed25519",
        cipher,
        cipher,
        "hmac-sha1",
        "hmac-sha1",
        "none",
        "none",
    ]);
    vec![
        server("SSH-2.0-OpenSSH_9.6\r\n"),
        client([format!("SSH-2.0-{software}\r\n").as_bytes(), &offer].concat()),
        server(offer),
        client(packet(&[30, 1, 2])),
        server([packet(&[31, 1, 2]), packet(&[21])].concat()),
        client(packet(&[21])),
    ]
}

/// An encrypted packet with readable length and a tag of 16 bytes.
fn sealed(len: u32) -> Vec<u8> {
    let mut bytes = len.to_be_bytes().to_vec();
    bytes.resize(4 + len as usize + 16, 0xee);
    bytes
}

#[test]
fn refused() {
    let mut turns = opening(GCM, "libssh_0.10");
    turns.extend([
        client(sealed(32)),
        server(sealed(32)),
        client(sealed(48)),
        server(sealed(48)),
    ]);
    for _ in 0..3 {
        turns.extend([client(sealed(96)), server(sealed(48))]);
    }
    check_turns::<Ssh>(
        &turns,
        &expect![[r#"
        handshake unknown 6s
          ssh.client SSH-2.0-libssh_0.10
          ssh.server SSH-2.0-OpenSSH_9.6
          ssh.hassh ef5f4844e637958ee43fdbdda78b7408
          ssh.hassh_algorithms curve25519-sha256,x;aes256-gcm@openssh.com;hmac-sha1;none
          ssh.hassh_server ef5f4844e637958ee43fdbdda78b7408
          ssh.hassh_server_algorithms curve25519-sha256,x;aes256-gcm@openssh.com;hmac-sha1;none
          ssh.kex curve25519-sha256
          ssh.cipher aes256-gcm@openssh.com
          ssh.mac hmac-sha1
        login refused 10s
          ssh.client SSH-2.0-libssh_0.10
          ssh.attempts 3
        want Nothing
    "#]],
    );
}

#[test]
fn accepted_wants_no_more() {
    let mut turns = opening(GCM, "OpenSSH_9.6");
    turns.extend([
        client(sealed(32)),
        server(sealed(32)),
        client(sealed(48)),
        server(sealed(48)),
    ]);
    turns.extend([client(sealed(96)), server([sealed(16), sealed(500)].concat())]);
    let text = render::<Ssh>(&turns);
    assert!(text.ends_with("ssh.attempts 1\nwant Nothing\n"), "{text}");
}

#[test]
fn hidden_lengths_judge_by_segment() {
    let mut turns = opening("aes128-ctr", "paramiko_3.4.0");
    turns.extend([client([1; 52]), server([1; 52]), client([1; 84]), server([1; 68])]);
    let text = render::<Ssh>(&turns);
    assert!(text.contains("login refused"), "{text}");
}

#[test]
fn sides_turned_round() {
    let turns: Vec<Turn> = opening(GCM, "OpenSSH_9.6")
        .into_iter()
        .chain([
            client(sealed(32)),
            server(sealed(32)),
            client(sealed(48)),
            server(sealed(16)),
        ])
        .map(|(side, bytes)| (side.other(), bytes))
        .collect();
    let text = render::<Ssh>(&turns);
    assert!(text.contains("ssh.server SSH-2.0-OpenSSH_9.6"), "{text}");
    assert!(text.contains("login accepted"), "{text}");
}

#[test]
fn old_version_and_nonsense() {
    let old = [server("SSH-1.5-Cisco-1.25\n"), client("SSH-1.5-PuTTY\n")];
    check_turns::<Ssh>(
        &old,
        &expect![[r#"
        handshake unknown 1s
          ssh.client SSH-1.5-PuTTY
          ssh.server SSH-1.5-Cisco-1.25
        want Nothing
    "#]],
    );
    let nonsense = [client("SSH-2.0-x\r\n"), client([0xff; 20])];
    check_turns::<Ssh>(
        &nonsense,
        &expect![[r#"
        handshake unknown 1s
          ssh.client SSH-2.0-x
        odd protocol_error x1
        want Nothing
    "#]],
    );
}
