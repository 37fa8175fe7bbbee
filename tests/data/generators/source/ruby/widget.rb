# The workshop in which widgets are made.
module Workshop
  # A widget turns a crank into a gear, one tooth at a time.
  #
  # Oil the widget before the first turn.
  #
  # @example Turn it
  #   # not a heading
  #   Widget.new(3).turn("left")
  # @since 1.4
  class Widget
    # @return [Integer] how many teeth the gear has
    attr_reader :teeth

    # @param teeth [Integer] how many teeth the new one gets
    def initialize(teeth)
      @teeth = teeth
    end

    # Turn the crank by some teeth.
    #
    # @param direction [String] where to turn it
    # @return [Integer] the teeth that passed
    # @raise [RuntimeError] if the widget is cold
    def turn(direction)
      direction.length + teeth
    end

    # Put oil on the axle.
    # @deprecated widgets oil themselves
    def oil; end
  end

  # Other page of gears.
  class Gear; end
end
