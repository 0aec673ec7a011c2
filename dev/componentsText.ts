import ts from "typescript";

const entry = "components/index.ts";

/** Returns the reference of the public library in Markdown, from the doc comments of what it exports. */
export function componentsText(): string {
  const program = ts.createProgram([entry], {
    strict: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: ["node"],
  });
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(entry);
  const module = file && checker.getSymbolAtLocation(file);
  if (module === undefined) {
    throw new Error(`${entry} exports nothing`);
  }
  const exported = checker.getExportsOfModule(module).map((symbol) => {
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    return isAlias ? checker.getAliasedSymbol(symbol) : symbol;
  });
  return exported.flatMap((symbol) => section(checker, symbol)).join("\n\n");
}

function section(checker: ts.TypeChecker, symbol: ts.Symbol): string[] {
  const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0;
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const members = membersOf(checker, type).filter((member) => isPublic(member));
  const own = members.filter((member) => documented(checker, member));
  const rows = own.map((member) => row(checker, member, isClass));
  if (rows.length === 0) {
    return [];
  }
  const example = tag(symbol.getJsDocTags(checker), "example");
  return [
    `## ${symbol.name}`,
    oneLine(ts.displayPartsToString(symbol.getDocumentationComment(checker))),
    ...(example === "" ? [] : [`\`\`\`ts\n${example}\n\`\`\``]),
    isClass
      ? ["| output | what it is |", "|---|---|", ...rows].join("\n")
      : ["| argument | default | what it is |", "|---|---|---|", ...rows].join("\n"),
  ];
}

/** Members of a type; of a union, those of all its parts. */
function membersOf(checker: ts.TypeChecker, type: ts.Type): ts.Symbol[] {
  const parts = type.isUnion() ? type.types : [type];
  const byName = new Map(
    parts.flatMap((part) => checker.getPropertiesOfType(part)).map((each) => [each.name, each]),
  );
  return [...byName.values()];
}

/** Whether a member is this library's own, and no method. */
function isPublic(member: ts.Symbol): boolean {
  return (member.declarations ?? []).some(
    (declaration) =>
      !declaration.getSourceFile().fileName.includes("node_modules") &&
      (ts.isPropertyDeclaration(declaration) || ts.isPropertySignature(declaration)) &&
      !ts.getModifiers(declaration)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword),
  );
}

function documented(checker: ts.TypeChecker, member: ts.Symbol): boolean {
  return member.getDocumentationComment(checker).length + member.getJsDocTags(checker).length > 0;
}

function row(checker: ts.TypeChecker, member: ts.Symbol, isClass: boolean): string {
  const text = oneLine(ts.displayPartsToString(member.getDocumentationComment(checker)));
  if (isClass) {
    return `| \`${member.name}\` | ${cell(text)} |`;
  }
  const isOptional = (member.flags & ts.SymbolFlags.Optional) !== 0;
  const value = oneLine(tag(member.getJsDocTags(checker), "default"));
  const shown = value === "" ? (isOptional ? "" : "required") : value;
  return `| \`${member.name}\` | ${cell(shown)} | ${cell(text)} |`;
}

function tag(tags: readonly ts.JSDocTagInfo[], name: string): string {
  const found = tags.find((each) => each.name === name);
  return ts.displayPartsToString(found?.text).trim();
}

function oneLine(text: string): string {
  return text
    .replaceAll(/\{@link (\w+)\}/g, "`$1`")
    .replaceAll(/\s+/g, " ")
    .trim();
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
