/** Returns people and their roles as a line for people to read. */
export function peopleText(people: Readonly<Record<string, string>>): string {
  const all = Object.entries(people).map(([name, role]) => `${name} (${role})`);
  return all.join(", ") || "none";
}
