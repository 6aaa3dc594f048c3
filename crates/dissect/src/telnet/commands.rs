//! Telnet commands (RFC 854) among the bytes of one side: options and sub-negotiations are taken out, text is left.
//! One state per side, so that a command may be cut by the network anywhere.

/// Interpret as command, RFC 854.
pub(super) const IAC: u8 = 255;
const SUBNEGOTIATION: u8 = 250;
const SUBNEGOTIATION_END: u8 = 240;
/// WILL, WONT, DO, DONT: an option follows.
pub(super) const WITH_OPTION: std::ops::RangeInclusive<u8> = 251..=254;

/// Takes telnet commands out of one side's bytes.
#[derive(Default)]
pub(super) enum Commands {
    #[default]
    Text,
    Command,
    Option,
    Inside,
    InsideCommand,
}

impl Commands {
    /// The byte, when it is text and no command.
    pub(super) fn text(&mut self, byte: u8) -> Option<u8> {
        let (next, shown) = match (&self, byte) {
            (Self::Text, IAC) => (Self::Command, None),
            (Self::Text, _) => (Self::Text, Some(byte)),
            (Self::Command, SUBNEGOTIATION) => (Self::Inside, None),
            (Self::Command, command) if WITH_OPTION.contains(&command) => (Self::Option, None),
            (Self::Command | Self::Option, _) => (Self::Text, None),
            (Self::Inside, IAC) => (Self::InsideCommand, None),
            (Self::InsideCommand, SUBNEGOTIATION_END) => (Self::Text, None),
            (Self::Inside | Self::InsideCommand, _) => (Self::Inside, None),
        };
        *self = next;
        shown
    }
}
