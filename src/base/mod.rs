//! Floor 0: the words every other folder speaks. No I/O, no cryptography, no SQL.

mod address;
mod caller;
mod catalogue;
mod catalogue_file;
mod clock;
mod ids;
mod names;
mod property;
mod stay;
mod table;
mod term;
mod view;

pub use address::{AddressRange, InvalidRange};
pub use caller::{Caller, Credential, Errand, same_person};
pub use catalogue::{
    Catalogue, CatalogueError, Category, Class, Field, FieldIndex, FieldSet, IndexKind, Kind,
};
pub use clock::{ASTRAY, Clock, from_micros, latest_end, micros, said_now};
pub use ids::{ConsentId, EntryId, GuestId, ImportId, NoticeId, PrincipalId, RecordId, RequestId, WriterId};
pub use names::{FieldPath, InvalidName, PropertyCode, Purpose, Role, SourceSystem};
pub use property::{PropertyKind, PropertyNode, PropertyTree, PropertyTreeError, Reach};
pub use stay::{StayState, StayStatus};
pub use table::table;
pub use term::{Anchors, Begin, Length, Term};
pub use view::{Action, View, Withheld};
