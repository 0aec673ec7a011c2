import { createRequire } from "node:module";
import { Argument, Command, Option } from "commander";
import { later, run } from "../cli/program";

// As TypeScript is loaded here; `import()` would need another loader, which takes a seventh of a second to start.
const load = createRequire(__filename);

const program = new Command("openclaw-kasm").description(
  "What developers of this program start: its tests, a KASM-like server, a benchmark.",
);

program
  .command("rig")
  .description("start a KASM-like server in a container to deploy to, or take it away")
  .addArgument(new Argument("[action]").choices(["up", "down"]).default("up"))
  .option("--name <name>", "rigs with names of their own stand side by side", "rig")
  .option("--ssh-port <port>", "port on 127.0.0.1 for SSH", "2222")
  .option("--https-port <port>", "port on 127.0.0.1 for KASM", "8443")
  .addOption(
    new Option("--flavour <flavour>", "KASM 1.17 on Docker 20.10, or 1.19 on Docker 26 elsewhere")
      .choices(["static", "rolling"])
      .default("static"),
  )
  .option("--cores <count>", "processor cores that its Docker sees (8, 16, … 64), for larger plans")
  .action(later(() => (load("./rig") as typeof import("./rig")).rig));

program
  .command("bench")
  .description(
    "time the program beside an empty one and beside docker-compose, and show how it grows",
  )
  .option("--rounds <count>", "how often each pair is timed", "3")
  .option("--instances <counts>", "how many gateways side by side", "1,5,20")
  .option("--write", "update the tables in docs/development.md", false)
  .action(later(() => (load("./bench/bench") as typeof import("./bench/bench")).bench));

program
  .command("lockfile")
  .description("pin the packages that the images install with a version of OpenClaw, for the clone")
  .argument("<version>", "a version of npm openclaw, such as 2026.9.6")
  .action(later(() => (load("./lockfile") as typeof import("./lockfile")).lockfile));

program
  .command("package")
  .description("compile the public library to dist/, for npm pack")
  .action(later(() => (load("./package") as typeof import("./package")).packageLibrary));

program
  .command("docs")
  .description("write the table in docs/settings.md again, from config/")
  .action(later(() => (load("./docs") as typeof import("./docs")).docs));

const test = program
  .command("test")
  .description(
    "run the tests of the whole program: with a light OpenClaw, its main job with the real one",
  )
  .argument("[files...]", "parts of paths of test files, to run only those")
  .action(later(() => (load("../tests/run") as typeof import("../tests/run")).test));
test
  .command("unit")
  .description("run the tests that need neither Docker nor root, engine or network")
  .argument("[files...]", "parts of paths of test files, to run only those")
  .option("-w, --watch", "run the tests of each file that changes, until Ctrl-C", false)
  .action(
    later(() => (load("../tests/unitTests") as typeof import("../tests/unitTests")).testUnit),
  );
test
  .command("e2e")
  .description("run every end-to-end test, with the real images")
  .argument("[files...]", "parts of paths of test files, to run only those")
  .action(later(() => (load("../tests/run") as typeof import("../tests/run")).testE2e));

void run(program);
