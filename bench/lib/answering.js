'use strict';
// A worker's end of `startWorker`: its verbs by name, and its end with that of its parent.

function answerParent(verbs) {
  process.on('message', ({ id, verb, argument }) => {
    Promise.resolve()
      .then(() => verbs[verb](argument))
      .then(
        (result) => process.send({ id, result }),
        (error) => process.send({ id, error: error.message }),
      );
  });
  process.on('disconnect', () => process.exit());
  process.on('SIGINT', () => undefined); // a terminal's Ctrl-C is the parent's to deal with
}

module.exports = { answerParent };
