/** @file
 *  @brief Other page of gears. */
#ifndef WIDGET_H
#define WIDGET_H

/** @page guide Widget guide
 *
 *  A widget turns a crank into a gear, one tooth at a time.
 *
 *  @section install_widget Install the widget
 *
 *  Run the installer.
 *
 *  @code{.c}
 *  // not a heading
 *  widget_turn(w, 3);
 *  @endcode
 *
 *  @note Oil the widget before the first turn.
 *
 *  @warning Never turn a cold widget.
 *
 *  @section sizes Sizes and weights
 *
 *  | Size  | Teeth  |
 *  | ----- | ------ |
 *  | small | twelve |
 *  | large | forty  |
 *
 *  1. Open the crate.
 *     - Cut the straps.
 *       - Save the straps for returns.
 *  2. Lift the widget.
 *
 *  @subsection deeper Deeper in
 *
 *  The axle is oiled once a year.
 */

/** @struct Widget
 *  One widget, made of oak. */
struct Widget {
    int teeth; /**< How many teeth the gear has. */
};

/** Turn the crank by some teeth.
 *
 *  @param widget the widget to turn
 *  @param teeth how many teeth
 *  @return the teeth that passed
 */
int widget_turn(struct Widget *widget, int teeth);

#endif
