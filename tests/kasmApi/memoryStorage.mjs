// Tables of KASM's database in memory: those of dev/rig/kasm-db/schema.sql that the API works on, with what a fresh
// installation has in them. A storage is
//   find(table, where)             -> rows with the columns of `where`
//   insert(table, row)             -> the row with its id and its defaults
//   update(table, where, changes)
//   remove(table, where)
// with ids as text with dashes, and JSON columns as values. What PostgreSQL would not take throws.
import { randomUUID } from "node:crypto";

const idColumns = {
  images: "image_id",
  groups: "group_id",
  users: "user_id",
  user_groups: "user_group_id",
  group_images: "group_image_id",
  cast_configs: "cast_config_id",
  api_configs: "api_id",
  group_permissions: "group_permission_id",
  kasms: "kasm_id",
  servers: "server_id",
  zones: "zone_id",
  settings: "setting_id",
};

/** What refers to a row of a table; `cascade` goes with it, anything else keeps it from going. */
const references = [
  { from: "group_images", column: "image_id", to: "images", cascade: true },
  { from: "group_images", column: "group_id", to: "groups", cascade: true },
  { from: "user_groups", column: "user_id", to: "users", cascade: true },
  { from: "user_groups", column: "group_id", to: "groups", cascade: true },
  { from: "cast_configs", column: "image_id", to: "images" },
  { from: "cast_configs", column: "group_id", to: "groups" },
  { from: "kasms", column: "image_id", to: "images" },
  { from: "images", column: "zone_id", to: "zones" },
  { from: "images", column: "server_id", to: "servers" },
];

const { structuredClone } = globalThis;

const unique = { cast_configs: ["casting_config_name", "key"], groups: ["name"] };

export function memoryStorage() {
  const tables = Object.fromEntries(Object.keys(idColumns).map((name) => [name, []]));

  const matches = (table, where) => {
    const wanted = Object.entries(where).map(([column, value]) => [
      column,
      asStored(column, value),
    ]);
    return (row) => wanted.every(([column, value]) => row[column] === value);
  };
  const check = (table, row, others) => {
    for (const { from, column, to } of references) {
      const id = row[column] ?? null;
      if (from === table && id !== null && !tables[to].some((at) => at[idColumns[to]] === id)) {
        throw new Error(`${table}.${column}: ${id} is not in ${to}`);
      }
    }
    for (const column of unique[table] ?? []) {
      if (others.some((other) => other[column] === row[column])) {
        throw new Error(`${table}.${column}: ${row[column]} is there already`);
      }
    }
  };

  const storage = {
    async find(table, where = {}) {
      return structuredClone(tables[table].filter(matches(table, where)));
    },
    async insert(table, row) {
      const stored = { [idColumns[table]]: randomUUID(), ...storedRow(row) };
      check(table, stored, tables[table]);
      tables[table].push(stored);
      return structuredClone(stored);
    },
    async update(table, where, changes) {
      for (const row of tables[table].filter(matches(table, where))) {
        const changed = { ...row, ...storedRow(changes) };
        check(
          table,
          changed,
          tables[table].filter((other) => other !== row),
        );
        Object.assign(row, changed);
      }
    },
    async remove(table, where) {
      for (const row of tables[table].filter(matches(table, where))) {
        const id = row[idColumns[table]];
        for (const { from, column, to, cascade } of references) {
          if (to === table && cascade) {
            tables[from] = tables[from].filter((other) => other[column] !== id);
          } else if (to === table && tables[from].some((other) => other[column] === id)) {
            throw new Error(`${table}: ${id} is still in ${from}.${column}`);
          }
        }
        tables[table] = tables[table].filter((other) => other !== row);
      }
    },
  };
  return storage;
}

const allUsers = "68d557ac-4cac-42cc-a9f3-1c7c853de0f3";
const administrators = "31aff3a1-a718-4bb2-b1f8-3e5b6a1f0a5c";

/** What kasm-db/seed.sql puts into a fresh database. */
export async function seed(storage) {
  const zone_id = "5f1d0c39-64d2-4a33-8d44-2f2b5a0a0001";
  await storage.insert("zones", { zone_id, zone_name: "default" });
  const server_id = "5f1d0c39-64d2-4a33-8d44-2f2b5a0a0002";
  await storage.insert("servers", { server_id, hostname: "proxy", zone_id });
  await storage.insert("groups", {
    group_id: allUsers,
    name: "All Users",
    description: "Every user",
    priority: 4095,
    is_system: true,
  });
  await storage.insert("groups", {
    group_id: administrators,
    name: "Administrators",
    description: "Administrators",
    priority: 1,
    is_system: true,
  });
  const users = {
    "admin@kasm.local": ["5f1d0c39-64d2-4a33-8d44-2f2b5a0a0003", allUsers, administrators],
    "user@kasm.local": ["5f1d0c39-64d2-4a33-8d44-2f2b5a0a0004", allUsers],
  };
  for (const [username, [user_id, ...groups]] of Object.entries(users)) {
    await storage.insert("users", { user_id, username });
    for (const group_id of groups) {
      await storage.insert("user_groups", { user_id, group_id });
    }
  }
  await storage.insert("settings", {
    category: "images",
    name: "add_images_to_default_group",
    value: "True",
  });
}

function storedRow(row) {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      asStored(column, structuredClone(value)),
    ]),
  );
}

/** Ids are taken with and without dashes; what is no id is an error, as in a column of type uuid. */
function asStored(column, value) {
  if (
    !column.endsWith("_id") ||
    column === "permission_id" ||
    value === null ||
    value === undefined
  ) {
    return value;
  }
  const digits = String(value).replaceAll("-", "").toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) {
    throw new Error(`${column}: invalid input syntax for type uuid: "${value}"`);
  }
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
