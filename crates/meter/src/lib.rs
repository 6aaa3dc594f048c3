//! Metering process: packets in, flow records and transactions out.
