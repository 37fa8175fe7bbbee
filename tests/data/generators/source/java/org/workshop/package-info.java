/** The workshop. */
package org.workshop;
