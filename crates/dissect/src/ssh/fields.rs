//! Fields of SSH transactions: columns, filter words, labels. Fingerprints stand beside the text they are made of.

crate::fields::fields! {
    CLIENT = text("ssh.client", "Client software");
    SERVER = text("ssh.server", "Server software");
    HASSH = text("ssh.hassh", "HASSH");
    HASSH_ALGORITHMS = text("ssh.hassh_algorithms", "HASSH algorithms");
    HASSH_SERVER = text("ssh.hassh_server", "HASSH of the server");
    HASSH_SERVER_ALGORITHMS = text("ssh.hassh_server_algorithms", "HASSH algorithms of the server");
    KEX = text("ssh.kex", "Key exchange");
    CIPHER = text("ssh.cipher", "Cipher to the server");
    MAC = text("ssh.mac", "Integrity to the server");
    ATTEMPTS = number("ssh.attempts", "Log-in attempts");
}
