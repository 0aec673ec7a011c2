// The storage of memoryStorage.mjs over PostgreSQL with the tables of dev/rig/kasm-db/schema.sql. `query` is that of
// a Pool or Client of the npm package pg: (text, values) -> {rows}.

export function postgresStorage(query) {
  /** Types of a table's columns by name. */
  const columns = {};
  const typesOf = async (table) =>
    (columns[table] ??= Object.fromEntries(
      (
        await query(
          "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1",
          [table],
        )
      ).rows.map(({ column_name, data_type }) => [column_name, data_type]),
    ));

  /** Only columns that the table has; what comes in besides is the caller's mistake and would be SQL. */
  const entries = async (table, row) => {
    const types = await typesOf(table);
    return Object.entries(row).map(([column, value]) => {
      if (!(column in types)) {
        throw new Error(`${table} has no column ${column}`);
      }
      const isJson = types[column] === "json" && value !== null && value !== undefined;
      return [column, isJson ? JSON.stringify(value) : value];
    });
  };
  const condition = (where, first) =>
    where
      .map(([column, value], index) =>
        value === null ? `"${column}" IS NULL` : `"${column}" = $${index + first}`,
      )
      .join(" AND ") || "true";
  const given = (list) => list.map(([, value]) => value).filter((value) => value !== null);
  const present = async (table, rows) => {
    const types = await typesOf(table);
    return rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([column, value]) => [
          column,
          types[column] === "bigint" && value !== null ? Number(value) : value,
        ]),
      ),
    );
  };

  return {
    async find(table, where = {}) {
      // Null has no rank among the values, so it is last.
      const wanted = (await entries(table, where)).sort(([, value]) => (value === null ? 1 : -1));
      const text = `SELECT * FROM "${table}" WHERE ${condition(wanted, 1)}`;
      return present(table, (await query(text, given(wanted))).rows);
    },
    async insert(table, row) {
      const list = await entries(table, row);
      const names = list.map(([column]) => `"${column}"`).join(", ");
      const places = list.map((_, index) => `$${index + 1}`).join(", ");
      const text = `INSERT INTO "${table}" (${names}) VALUES (${places}) RETURNING *`;
      const { rows } = await query(
        text,
        list.map(([, value]) => value),
      );
      return (await present(table, rows))[0];
    },
    async update(table, where, changes) {
      const list = await entries(table, changes);
      const wanted = (await entries(table, where)).sort(([, value]) => (value === null ? 1 : -1));
      const set = list.map(([column], index) => `"${column}" = $${index + 1}`).join(", ");
      if (set !== "") {
        const text = `UPDATE "${table}" SET ${set} WHERE ${condition(wanted, list.length + 1)}`;
        await query(text, [...list.map(([, value]) => value), ...given(wanted)]);
      }
    },
    async remove(table, where) {
      const wanted = (await entries(table, where)).sort(([, value]) => (value === null ? 1 : -1));
      await query(`DELETE FROM "${table}" WHERE ${condition(wanted, 1)}`, given(wanted));
    },
  };
}
