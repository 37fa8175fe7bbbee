/**
 * A widget turns a crank into a gear, one tooth at a time.
 *
 * Oil the widget before the first turn.
 *
 * <table><tr><th>Size</th><th>Teeth</th></tr><tr><td>small</td><td>twelve</td></tr></table>
 *
 * <ol><li>Open the crate.<ul><li>Cut the straps.</li></ul></li></ol>
 *
 * @since 1.4
 * @example
 * // not a heading
 * new Widget(3).turn("left");
 */
class Widget {
  /**
   * Makes a widget.
   * @param {number} teeth how many teeth the new one gets
   */
  constructor(teeth) {
    /** How many teeth the gear has. */
    this.teeth = teeth;
  }

  /**
   * Turn the crank by some teeth.
   * @param {string} direction where to turn it
   * @param {number} [teeth=1] how many teeth
   * @returns {number} the teeth that passed
   * @throws {Error} if the widget is cold
   */
  turn(direction, teeth = 1) {
    return direction.length + teeth;
  }

  /**
   * Put oil on the axle.
   * @deprecated widgets oil themselves
   */
  oil() {}
}

/** Other page of gears. */
class Gear {}
