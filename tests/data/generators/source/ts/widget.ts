/**
 * Tools for widgets.
 * @module
 */

/** What a widget is made of. */
export interface Wood {
  /** The name of the tree. */
  tree: string;
}

/**
 * A widget turns a crank into a gear, one tooth at a time.
 *
 * ```ts
 * // not a heading
 * widget.turn("left", 3);
 * ```
 *
 * | Size  | Teeth  |
 * | ----- | ------ |
 * | small | twelve |
 *
 * 1. Open the crate.
 *    - Cut the straps.
 *
 * @example Turn it
 * ```ts
 * new Widget({ tree: "oak" }).oil();
 * ```
 */
export class Widget {
  /** How many teeth the gear has. */
  teeth: number = 12;

  /** Makes a widget. */
  constructor(wood: Wood) {
    void wood;
  }

  /**
   * Turn the crank by some teeth.
   *
   * @param direction where to turn it
   * @param teeth how many teeth
   * @returns the teeth that passed
   * @throws if the widget is cold
   */
  turn(direction: string, teeth: number = 1): number {
    return direction.length + teeth;
  }

  /** Put oil on the axle. @deprecated widgets oil themselves */
  oil(): void {}
}

/** Other page of gears. */
export function gear(): void {}
