package org.workshop;

/**
 * A widget turns a crank into a gear, one tooth at a time.
 *
 * <p>Oil the widget before the first turn.
 *
 * <pre>{@code
 * Widget widget = new Widget(3);
 * widget.turn("left");
 * }</pre>
 *
 * <table><caption>Widget sizes</caption><tr><th>Size</th><th>Teeth</th></tr><tr><td>small</td><td>twelve</td></tr></table>
 *
 * <ul><li>Open the crate.<ul><li>Cut the straps.</li></ul></li></ul>
 *
 * @since 1.4
 * @see Gear
 */
public class Widget {
    /** How many teeth the gear has. */
    public static final int TEETH = 12;

    /**
     * Makes a widget.
     *
     * @param teeth how many teeth the new one gets
     */
    public Widget(int teeth) {}

    /**
     * Turns the crank.
     *
     * @param direction where to turn it
     * @return the teeth that passed
     * @throws IllegalStateException if the widget is cold
     */
    public int turn(String direction) {
        return 1;
    }

    /** Puts oil on the axle. @deprecated widgets oil themselves */
    @Deprecated
    public void oil() {}
}
