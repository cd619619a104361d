"use strict";
// Ways through a drawing for the arrow keys: along the lines, and within a layer.

Explorer.ways = (() => {
  const { middle } = Explorer.cards;

  const inReadingOrder = (cards) =>
    [...cards].sort((one, other) => one.x - other.x || one.y - other.y);

  /** Where a line leads from an item: from a step to what it made, from that to who read it. */
  function along(model, ref, forward) {
    const item = model.items.get(ref);
    if (forward && item.row === 0 && item.card.pills.length) return item.card.pills[0].ref;
    if (!forward && item.row > 0) return item.card.ref;
    const ahead = model.edges
      .filter((edge) => (forward ? edge.from : edge.to) === ref)
      .map((edge) => model.items.get(forward ? edge.to : edge.from));
    // The nearest layer, and in it the nearest height.
    const distance = (other) =>
      Math.abs(other.card.x - item.card.x) * 1000 + Math.abs(middle(other) - middle(item));
    return ahead.sort((one, other) => distance(one) - distance(other))[0]?.ref;
  }

  /** The next item above or below, in the same card or layer. */
  function beside(model, ref, step) {
    const item = model.items.get(ref);
    const column = [...model.items.values()].filter(
      (other) => Math.abs(other.card.x - item.card.x) < item.card.width / 2,
    );
    column.sort((one, other) => middle(one) - middle(other));
    return column[column.indexOf(item) + step]?.ref;
  }

  return { along, beside, inReadingOrder };
})();
