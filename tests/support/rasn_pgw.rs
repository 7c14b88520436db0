//! P-GW records (TS 32.298 clause 5.2.2.2) as the `rasn` crate decodes them, by types written from the standard: the
//! oracle for the decoder of the product, and what its speed is compared with.
//!
//! A record is a SET, whose fields come in any order: it is read as the list of them. Fields that no usage is made of are
//! decoded and not looked at.

#![allow(unreachable_pub, reason = "shared by path")]
#![allow(clippy::wildcard_imports, reason = "the derived code wants them")]

use rasn::prelude::*;

/// `PGWRecord`.
#[derive(AsnType, Decode, Debug, Clone, PartialEq, Eq, Hash)]
#[rasn(delegate, tag(context, 79))]
pub struct Record(pub SequenceOf<Field>);

/// A field of it.
#[derive(AsnType, Decode, Debug, Clone, PartialEq, Eq, Hash)]
#[rasn(choice)]
pub enum Field {
    #[rasn(tag(context, 0))]
    RecordType(Integer),
    #[rasn(tag(context, 3))]
    ServedImsi(OctetString),
    #[rasn(tag(context, 4))]
    Gateway(SequenceOf<Address>),
    #[rasn(tag(context, 5))]
    ChargingId(OctetString),
    #[rasn(tag(context, 6))]
    ServingNodes(SequenceOf<Address>),
    #[rasn(tag(context, 7))]
    Network(OctetString),
    #[rasn(tag(context, 8))]
    PdnType(OctetString),
    #[rasn(tag(context, 9))]
    PdnAddress(SequenceOf<Any>),
    #[rasn(tag(context, 11))]
    DynamicAddress(bool),
    #[rasn(tag(context, 12))]
    Volumes(SequenceOf<Volumes>),
    #[rasn(tag(context, 13))]
    Opened(OctetString),
    #[rasn(tag(context, 14))]
    Duration(i64),
    #[rasn(tag(context, 15))]
    Cause(Integer),
    #[rasn(tag(context, 17))]
    Sequence(u64),
    #[rasn(tag(context, 18))]
    Node(OctetString),
    #[rasn(tag(context, 20))]
    LocalNumber(u64),
    #[rasn(tag(context, 21))]
    SelectionMode(Integer),
    #[rasn(tag(context, 22))]
    ServedMsisdn(OctetString),
    #[rasn(tag(context, 23))]
    Characteristics(OctetString),
    #[rasn(tag(context, 24))]
    CharacteristicsMode(Integer),
    #[rasn(tag(context, 27))]
    ServingPlmn(OctetString),
    #[rasn(tag(context, 29))]
    Imei(OctetString),
    #[rasn(tag(context, 30))]
    RatType(Integer),
    #[rasn(tag(context, 31))]
    TimeZone(OctetString),
    #[rasn(tag(context, 32))]
    Location(OctetString),
    #[rasn(tag(context, 34))]
    Services(SequenceOf<Service>),
    #[rasn(tag(context, 35))]
    ServingNodeTypes(SequenceOf<Any>),
    #[rasn(tag(context, 37))]
    Plmn(OctetString),
    #[rasn(tag(context, 38))]
    Started(OctetString),
    #[rasn(tag(context, 39))]
    Stopped(OctetString),
    #[rasn(tag(context, 52))]
    Retransmission(()),
    #[rasn(tag(context, 73))]
    SecondaryRat(SequenceOf<Any>),
}

/// `GSNAddress`.
#[derive(AsnType, Decode, Debug, Clone, PartialEq, Eq, Hash)]
#[rasn(choice)]
pub enum Address {
    #[rasn(tag(context, 0))]
    V4(OctetString),
    #[rasn(tag(context, 1))]
    V6(OctetString),
}

/// `ChangeOfCharCondition`, of listOfTrafficVolumes.
pub type Volumes = SequenceOf<Volume>;

/// A field of it.
#[derive(AsnType, Decode, Debug, Clone, PartialEq, Eq, Hash)]
#[rasn(choice)]
pub enum Volume {
    #[rasn(tag(context, 3))]
    Up(u64),
    #[rasn(tag(context, 4))]
    Down(u64),
    #[rasn(tag(context, 5))]
    Condition(Integer),
    #[rasn(tag(context, 6))]
    Time(OctetString),
    #[rasn(tag(context, 8))]
    Location(OctetString),
    #[rasn(tag(context, 9))]
    Qos(SequenceOf<Any>),
}

/// `ChangeOfServiceCondition`, of listOfServiceData.
pub type Service = SequenceOf<ServiceField>;

/// A field of it.
#[derive(AsnType, Decode, Debug, Clone, PartialEq, Eq, Hash)]
#[rasn(choice)]
pub enum ServiceField {
    #[rasn(tag(context, 1))]
    RatingGroup(Integer),
    #[rasn(tag(context, 2))]
    RuleBase(OctetString),
    #[rasn(tag(context, 3))]
    Result(Integer),
    #[rasn(tag(context, 4))]
    Sequence(Integer),
    #[rasn(tag(context, 5))]
    FirstUsage(OctetString),
    #[rasn(tag(context, 6))]
    LastUsage(OctetString),
    #[rasn(tag(context, 7))]
    TimeUsage(Integer),
    #[rasn(tag(context, 8))]
    Condition(BitString),
    #[rasn(tag(context, 9))]
    Qos(SequenceOf<Any>),
    #[rasn(tag(context, 10))]
    ServingNode(SequenceOf<Address>),
    #[rasn(tag(context, 12))]
    Up(u64),
    #[rasn(tag(context, 13))]
    Down(u64),
    #[rasn(tag(context, 14))]
    Report(OctetString),
    #[rasn(tag(context, 20))]
    Location(OctetString),
}

/// Decodes a record.
pub fn decode(bytes: &[u8]) -> Result<Record, rasn::error::DecodeError> {
    rasn::ber::decode(bytes)
}
