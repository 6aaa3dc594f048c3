//! Lists over HTTPS, from a server of our own: who is trusted, and what a redirection may not do.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// A server with a certificate for this name, and that certificate as PEM.
fn serve(name: &str, answers: &[(&str, String)]) -> (Double, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let double = Double {
        address: format!("https://{}", listener.local_addr().unwrap()),
        asked: Arc::default(),
        answers: Arc::default(),
    };
    answers.iter().for_each(|(path, answer)| double.set(path, answer));
    let (asked, answers) = (double.asked.clone(), double.answers.clone());
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            // Who does not trust us says so instead of asking.
            let mut lines = BufReader::new(&mut stream).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            let path = first.split(' ').nth(1).unwrap_or_default();
            let answer = answers.lock().unwrap().get(path).cloned().unwrap_or_default();
            asked.lock().unwrap().push(first.clone());
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            drop(lines);
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.flush();
        }
    });
    (double, certificate)
}

/// The list, trusting this certificate beside the system's authorities.
fn trusting(double: &Double, name: &str, certificate: &str) -> Remote {
    let remote = double.remote(name, "/a");
    fs::create_dir_all(&remote.folder).unwrap();
    let path = remote.folder.join("ca.pem");
    fs::write(&path, certificate).unwrap();
    Remote {
        ca_file: Some(path),
        ..remote
    }
}

#[test]
fn only_who_is_trusted_and_meant() {
    let list = [("/a", ok("ETag: \"one\"\r\n", "192.0.2.1\nevil.example\n"))];
    let (double, certificate) = serve("127.0.0.1", &list);
    let stranger = double.remote("stranger", "/a");
    let said = stranger.update(false).unwrap_err().to_string();
    assert!(said.contains("certificate"), "{said}");
    assert!(!stranger.content().exists() && double.asked() == 0);

    let known = trusting(&double, "known", &certificate);
    update(&known, expect!["Changed; 2 indicators, failures 0"]);
    assert_eq!(double.asked(), 1);
    double.set("/a", "HTTP/1.1 304 Not Modified\r\n\r\n");
    update(&known, expect!["Same; 2 indicators, failures 0"]);

    let (other, certificate) = serve("lists.example", &list);
    let misnamed = trusting(&other, "misnamed", &certificate);
    let said = misnamed.update(false).unwrap_err().to_string();
    assert!(said.contains("not valid for name"), "{said}");
    for remote in [stranger, known, misnamed] {
        let _ = fs::remove_dir_all(&remote.folder);
    }
}

#[test]
fn no_way_out_of_tls() {
    let plain = Double::new(&[("/b", ok("", "192.0.2.1\n"))]);
    let (double, certificate) = serve(
        "127.0.0.1",
        &[(
            "/a",
            format!(
                "HTTP/1.1 302 Found\r\nLocation: {}/b\r\nContent-Length: 0\r\n\r\n",
                plain.address
            ),
        )],
    );
    let remote = trusting(&double, "way-out", &certificate);
    update(
        &remote,
        expect!["a redirection out of TLS; 0 indicators, failures 1"],
    );
    assert_eq!((double.asked(), plain.asked()), (1, 0));
    let _ = fs::remove_dir_all(&remote.folder);
}
