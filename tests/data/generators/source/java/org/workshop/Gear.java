package org.workshop;

/** Other page of gears. */
public interface Gear {
    /** Turns it slowly. */
    void slowly();
}
