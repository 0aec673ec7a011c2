// A clone does not know yet how long its tests take, and a long file that comes last has the run wait for it.
const { default: Sequencer } = require("@jest/test-sequencer");

/** Files that take minutes, or for one without Docker more than a minute, longest first. */
const longest = [
  "moveInstance",
  "openclaw",
  "hosts",
  "desktopReleases",
  "kasmImage",
  "kasmServer",
  "oidc",
  "rebuild",
  "webServers",
  "kasmAnew",
  "plans",
  "signOnBehindKasm",
  "besideKasm",
  "tiles",
  "people",
  "lostHost",
  "agents",
  "sidecar",
  "offsite",
  "move",
  "plainPulumi",
  "peopleChanges",
  "rigWorkspaces",
  "scale",
  "desktopStartup",
].map((name) => `/${name}.test.ts`);

module.exports = class extends Sequencer {
  sort(tests) {
    const place = ({ path }) => {
      const found = longest.findIndex((name) => path.endsWith(name));
      return found === -1 ? longest.length : found;
    };
    return super.sort(tests).sort((one, other) => place(one) - place(other));
  }
};
