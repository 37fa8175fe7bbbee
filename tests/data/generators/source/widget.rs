//! Widget guide: a widget turns a crank into a gear, one tooth at a time.
//!
//! # Install the widget
//!
//! ```
//! // not a heading
//! let teeth = 3;
//! ```
//!
//! | Size | Teeth |
//! |------|-------|
//! | small | twelve |

/// One widget, made of oak.
///
/// Oil the widget before the first turn.
///
/// # Examples
///
/// ```
/// // not a heading
/// let teeth = 3;
/// ```
///
/// | Size | Teeth |
/// |------|-------|
/// | small | twelve |
///
/// 1. Open the crate.
///    - Cut the straps.
#[derive(Clone, Debug)]
pub struct Widget {
    /// How many teeth the gear has.
    pub teeth: u32,
}

impl Widget {
    /// Turn the crank by some teeth.
    ///
    /// # Errors
    ///
    /// Never turn a cold widget.
    pub fn turn(&self, teeth: u32) -> Result<u32, String> {
        Ok(self.teeth + teeth)
    }

    /// Put oil on the axle.
    #[deprecated(since = "4.0.0", note = "widgets oil themselves")]
    pub fn oil(&self) {}
}

/// What can be turned.
pub trait Turnable {
    /// Turn it round.
    fn round(&self);
}

impl Turnable for Widget {
    fn round(&self) {}
}
