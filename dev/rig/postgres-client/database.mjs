// KASM's database, as its services reach it: PGHOST, PGUSER, PGPASSWORD and PGDATABASE say where it is.
import pg from "pg";

export function openDatabase() {
  const pool = new pg.Pool({ max: 4, connectionTimeoutMillis: 5000 });
  // The database may stop at any time; what is asked next opens another connection.
  pool.on("error", (error) => console.error(`database: ${error.message}`));
  return pool;
}
