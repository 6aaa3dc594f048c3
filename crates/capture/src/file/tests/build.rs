//! Writers of small captures for tests, in either byte order.
//! They are written apart from the readers, so that a mistake is not made twice.

/// A pcap file of records that can be changed before it is written.
#[derive(Clone)]
pub(super) struct PcapFile {
    magic: u32,
    big_endian: bool,
    link: u32,
    records: Vec<([u32; 4], Vec<u8>)>,
}

impl PcapFile {
    pub(super) fn new(magic: u32) -> Self {
        Self {
            magic,
            big_endian: false,
            link: 1,
            records: Vec::new(),
        }
    }

    pub(super) fn big_endian(mut self) -> Self {
        self.big_endian = true;
        self
    }

    pub(super) fn link(mut self, link: u32) -> Self {
        self.link = link;
        self
    }

    pub(super) fn packet(self, secs: u32, fraction: u32, frame_bytes: u32, data: &[u8]) -> Self {
        self.record([secs, fraction, data.len() as u32, frame_bytes], data)
    }

    /// A record whose header may lie.
    pub(super) fn record(mut self, header: [u32; 4], data: &[u8]) -> Self {
        self.records.push((header, data.to_vec()));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.u32(self.magic);
        // Version 2.4 as two 16-bit numbers.
        bytes.extend(self.u32(if self.big_endian { 0x0002_0004 } else { 0x0004_0002 }));
        for number in [0, 0, 65_535, self.link] {
            bytes.extend(self.u32(number));
        }
        for (header, data) in &self.records {
            bytes.extend(header.iter().flat_map(|&number| self.u32(number)));
            if self.magic == 0xa1b2_cd34 {
                bytes.extend([0; 8]);
            }
            bytes.extend(data);
        }
        bytes
    }

    fn u32(&self, number: u32) -> Vec<u8> {
        if self.big_endian {
            number.to_be_bytes().to_vec()
        } else {
            number.to_le_bytes().to_vec()
        }
    }
}

/// A pcapng file that begins with a section header.
pub(super) struct PcapngFile {
    big_endian: bool,
    bytes: Vec<u8>,
}

impl PcapngFile {
    pub(super) fn new(big_endian: bool) -> Self {
        let mut file = Self {
            big_endian,
            bytes: Vec::new(),
        };
        file.section();
        file
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    pub(super) fn section(&mut self) -> &mut Self {
        let body = [self.u32(0x1a2b_3c4d), self.u16(1), self.u16(0), vec![0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    pub(super) fn interface(&mut self, link: u16, snap_bytes: u32, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = [self.u16(link), self.u16(0), self.u32(snap_bytes)].concat();
        for (code, value) in options {
            body.extend([self.u16(*code), self.u16(value.len() as u16), value.to_vec()].concat());
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    pub(super) fn enhanced(
        &mut self,
        interface: u32,
        ticks: u64,
        frame_bytes: u32,
        data: &[u8],
    ) -> &mut Self {
        let (high, low) = ((ticks >> 32) as u32, ticks as u32);
        let header = [interface, high, low, data.len() as u32, frame_bytes];
        let header: Vec<u8> = header.iter().flat_map(|&number| self.u32(number)).collect();
        self.block(6, &[&header, data].concat())
    }

    pub(super) fn simple(&mut self, frame_bytes: u32, data: &[u8]) -> &mut Self {
        let body = [self.u32(frame_bytes), data.to_vec()].concat();
        self.block(3, &body)
    }

    pub(super) fn obsolete(
        &mut self,
        interface: u16,
        ticks: u64,
        frame_bytes: u32,
        data: &[u8],
    ) -> &mut Self {
        let (high, low) = ((ticks >> 32) as u32, ticks as u32);
        let mut body = [self.u16(interface), self.u16(3)].concat();
        for number in [high, low, data.len() as u32, frame_bytes] {
            body.extend(self.u32(number));
        }
        body.extend(data);
        self.block(2, &body)
    }

    /// A block with its body padded to 4 bytes.
    pub(super) fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.u32(body.len() as u32 + 12);
        self.bytes
            .extend([self.u32(kind), length.clone(), body, length].concat());
        self
    }

    fn u32(&self, number: u32) -> Vec<u8> {
        if self.big_endian {
            number.to_be_bytes().to_vec()
        } else {
            number.to_le_bytes().to_vec()
        }
    }

    fn u16(&self, number: u16) -> Vec<u8> {
        if self.big_endian {
            number.to_be_bytes().to_vec()
        } else {
            number.to_le_bytes().to_vec()
        }
    }
}
