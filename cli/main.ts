import { createRequire } from "node:module";
import { Argument, Command, Option } from "commander";
import { later, run } from "./program";

// As TypeScript is loaded here; `import()` would need another loader, which takes a seventh of a second to start.
const load = createRequire(__filename);

const program = new Command("openclaw-kasm")
  .description("Runs OpenClaw, an AI gateway with a web dashboard, by Pulumi on Docker.")
  .enablePositionalOptions();

program
  .command("up")
  .description(
    "deploy the stack, or bring it in line with its settings, and wait until the dashboard answers",
  )
  .option("-s, --stack <name>", "stack to deploy", "dev")
  .option(
    "--policy-pack <folder>",
    "deploy nothing that a policy pack forbids; policy is this project's",
  )
  .option(
    "--without <hosts...>",
    "leave the gateways on these of openclaw:hosts as they are, for example on one that does not answer",
  )
  .action(later(() => (load("./up") as typeof import("./up")).up));

program
  .command("down")
  .description("destroy the stack; OpenClaw's data is kept unless --delete-data is given")
  .option("-s, --stack <name>", "stack to destroy", "dev")
  .option("--delete-data", "delete OpenClaw's data too", false)
  .action(later(() => (load("./down") as typeof import("./down")).down));

program
  .command("status")
  .description("show the gateway's status; exits 0 only if all checks pass")
  .option("-s, --stack <name>", "stack to inspect", "dev")
  .option("--json", "print it for a program", false)
  .option("--no-sessions", "leave out who has a session in KASM, for logs that others read")
  .option("-w, --watch", "look again every 5 seconds", false)
  .action(later(() => (load("./status") as typeof import("./status")).status));

program
  .command("hosts")
  .description(
    "show each of the stack's hosts and its part in a Docker swarm; exits 0 only if all checks pass",
  )
  .addArgument(
    new Argument(
      "[action]",
      "join: make one Docker swarm of the hosts that openclaw:overlay joins, managed by KASM's host; a swarm that exists is used, and none is left. leave: take out of the swarm the hosts that join has put there",
    ).choices(["join", "leave"]),
  )
  .option("-s, --stack <name>", "stack that the hosts are of", "dev")
  .action(later(() => (load("./hosts") as typeof import("./hosts")).hosts));

program
  .command("logs")
  .description("show the log of the gateway's container")
  .option("-s, --stack <name>", "stack to inspect", "dev")
  .option("-i, --instance <name>", "which gateway, if the stack has several")
  .option("-f, --follow", "go on as more comes", false)
  .option("-n, --lines <count>", "how many of the last lines", "200")
  .action(later(() => (load("./logs") as typeof import("./logs")).logs));

program
  .command("backup")
  .description("save OpenClaw's data to one file; the gateway is stopped for that time")
  .option("-s, --stack <name>", "stack that has the data", "dev")
  .option("-i, --instance <name>", "which gateway's, if the stack has several")
  .option("-o, --output <file>", "file to write; one with the time in its name unless given")
  .addOption(passphraseFile())
  .option(
    "--offsite",
    "save it off the machine, to the storage of the settings, in place of a file",
  )
  .action(later(() => (load("./backup") as typeof import("./backup")).backup));

program
  .command("restore")
  .description("replace OpenClaw's data by a backup; a failed restore keeps the data")
  .argument(
    "<file>",
    "a backup; offsite for the last one off the machine, offsite:ID for another, offsite:list to list them",
  )
  .option("-s, --stack <name>", "stack that gets the data", "dev")
  .option("-i, --instance <name>", "which gateway's, if the stack has several")
  .addOption(passphraseFile())
  .action(later(() => (load("./restore") as typeof import("./restore")).restore));

program
  .command("move")
  .description(
    "move a gateway with its data to another host of the stack; reverts everything if it does not start there",
  )
  .argument("<instance>", "which gateway")
  .argument("<host>", "one of openclaw:hosts, or openclaw:host")
  .option("-s, --stack <name>", "stack of the gateway", "dev")
  .option(
    "--from-backup [file]",
    "its host is lost: take a backup in place of the data, as restore takes it; the last one unless given",
  )
  .addOption(passphraseFile())
  .action(later(() => (load("./move") as typeof import("./move")).move));

program
  .command("upgrade")
  .description(
    "deploy another version of OpenClaw with the same data; reverts everything if it does not start",
  )
  .argument("<version>", "a newer version of npm openclaw, such as 2026.9.6")
  .option("-s, --stack <name>", "stack to upgrade", "dev")
  .option("--rebuild", "build its images on current packages too", false)
  .action(later(() => (load("./upgrade") as typeof import("./upgrade")).upgrade));

program
  .command("rebuild")
  .description(
    "rebuild the stack's images on current packages, with the same OpenClaw and data; reverts everything if they do not start",
  )
  .option("-s, --stack <name>", "stack to build the images of", "dev")
  .action(later(() => (load("./rebuild") as typeof import("./rebuild")).rebuild));

program
  .command("rollback")
  .description(
    "revert the last upgrade, version and data; newer data is saved to a separate backup",
  )
  .option("-s, --stack <name>", "stack to roll back", "dev")
  .action(later(() => (load("./upgrade") as typeof import("./upgrade")).rollback));

program
  .command("approve")
  .description("list the browsers that wait for approval, or approve one (coollabsio's image only)")
  .argument("[id]", "id of a request")
  .option("-s, --stack <name>", "stack that they belong to", "dev")
  .option("-i, --instance <name>", "which gateway, if the stack has several")
  .action(later(() => (load("./approve") as typeof import("./approve")).approve));

program
  .command("rotate")
  .description(
    "put other secrets in place of the present ones, which stop working at once: the dashboard's password, the gateway's token, a provider key by its name, kasmApiKey with kasmApiSecret. What was generated is generated anew; what was given is asked for, or read from standard input",
  )
  .argument("<secret...>", "which: password, token, or the name of one that was given")
  .option("-s, --stack <name>", "stack that they belong to", "dev")
  .option("-i, --instance <name>", "which gateway, if the stack has several")
  .action(later(() => (load("./rotate") as typeof import("./rotate")).rotate));

program
  .command("pulumi")
  .description("run the Pulumi CLI with this project's engine, plugins and state")
  .argument("[arguments...]")
  .helpOption(false)
  .passThroughOptions()
  .allowUnknownOption()
  .action(later(() => (load("./pulumi") as typeof import("./pulumi")).passThrough));

program
  .command("preview")
  .description("show what up would change, judged by the policy pack; nothing is changed")
  .option("-s, --stack <name>", "stack to inspect", "dev")
  .option("--refresh", "ask the host what is there, in place of taking the state's word", false)
  .option("--expect-no-changes", "fail where up would change anything", false)
  .option("--report <file>", "write what was found to a file, in Markdown")
  .action(later(() => (load("./preview") as typeof import("./preview")).preview));

program
  .command("review")
  .description("write the settings of a pull request's own stack, pr-NUMBER")
  .argument("<number>")
  .action(later(() => (load("./review") as typeof import("./review")).review));

const github = program.command("github").description("tell people on GitHub what a workflow found");
github
  .command("comment")
  .description("write the comment on a topic under a pull request, or write it anew")
  .requiredOption("--pull-request <number>")
  .requiredOption("--topic <text>")
  .requiredOption("--file <file>", "the text, in Markdown")
  .action(later(() => (load("./github") as typeof import("./github")).comment));
github
  .command("issue")
  .description("open the issue of a title, or write the open one anew")
  .requiredOption("--title <text>")
  .requiredOption("--file <file>", "the text, in Markdown")
  .action(later(() => (load("./github") as typeof import("./github")).issue));

function passphraseFile(): Option {
  return new Option(
    "--passphrase-file <file>",
    "file with the passphrase that encrypts the backup, - for standard input",
  );
}

void run(program);
