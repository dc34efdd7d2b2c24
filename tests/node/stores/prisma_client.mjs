// The client of Prisma for the table of @quixo3/prisma-session-store 3.1.21.
//
// It is what `prisma generate` of version 7.10.0 writes for `schema`, but for the paths of the runtime. The package
// `prisma` is not installed, because it has 300 MB. Run this for another schema or version:
//
//   PRISMA_SCHEMA_ENGINE_BINARY=/bin/true npx prisma@7.10.0 generate
//
// The variable keeps it from fetching an engine, which generating does not need. With the lines
// `generator client { provider = "prisma-client-js" output = "client" }`, the members below are in `client/index.js`.

import { createRequire } from "node:module";
import { PrismaPg } from "@prisma/adapter-pg";
import runtime from "@prisma/client/runtime/client";

const load = createRequire(import.meta.url);
const compiler = "@prisma/client/runtime/query_compiler_small_bg.postgresql";

// As in the README of the package, but for `@db.MediumText`, which PostgreSQL does not have.
const schema = `
datasource db {
  provider = "postgresql"
}

model Session {
  id        String   @id
  sid       String   @unique
  data      String
  expiresAt DateTime
}
`;

// What `prisma migrate` makes of it, if it does not exist yet.
export const TABLE = [
  `CREATE TABLE IF NOT EXISTS "Session" ("id" TEXT NOT NULL, "sid" TEXT NOT NULL, "data" TEXT NOT NULL,
   "expiresAt" TIMESTAMP(3) NOT NULL, CONSTRAINT "Session_pkey" PRIMARY KEY ("id"))`,
  `CREATE UNIQUE INDEX IF NOT EXISTS "Session_sid_key" ON "Session"("sid")`,
];

const field = ([name, type]) => ({ name, kind: "scalar", type });
const fields = [["id", "String"], ["sid", "String"], ["data", "String"], ["expiresAt", "DateTime"]].map(field);

const PrismaClient = runtime.getPrismaClient({
  previewFeatures: [],
  clientVersion: "7.10.0",
  engineVersion: "0edf323efd1d98336f3f0a68684b56f689b900d3",
  activeProvider: "postgresql",
  inlineSchema: schema,
  runtimeDataModel: { models: { Session: { fields, dbName: null, schema: null } }, enums: {}, types: {} },
  parameterizationSchema: {
    // prettier-ignore
    strings: [
      "where", "Session.findUnique", "Session.findUniqueOrThrow", "orderBy", "cursor", "Session.findFirst",
      "Session.findFirstOrThrow", "Session.findMany", "data", "Session.createOne", "Session.createMany",
      "Session.createManyAndReturn", "Session.updateOne", "Session.updateMany", "Session.updateManyAndReturn",
      "create", "update", "Session.upsertOne", "Session.deleteOne", "Session.deleteMany", "having", "_count", "_min",
      "_max", "Session.groupBy", "Session.aggregate", "AND", "OR", "NOT", "id", "sid", "expiresAt", "equals", "in",
      "notIn", "lt", "lte", "gt", "gte", "not", "contains", "startsWith", "endsWith", "set",
    ],
    graph: [
      "KQkQBwgBACMAIRoAACIAMBsAAAQAEBwAACIAMB0BAAAAAR4BAAAAAR9AACQAIQEAAAABACABAAAAAQAgBwgBACMAIRoAACIAMBsAAAQAEBwAAC",
      "IAMB0BACMAIR4BACMAIR9AACQAIQADAAAABAAgAwAABQAwBAAAAQAgAwAAAAQAIAMAAAUAMAQAAAEAIAMAAAAEACADAAAFADAEAAABACAECAEA",
      "AAABHQEAAAABHgEAAAABH0AAAAABAQgAAAkAIAQIAQAAAAEdAQAAAAEeAQAAAAEfQAAAAAEBCAAACwAwAQgAAAsAMAQIAQAoACEdAQAoACEeAQ",
      "AoACEfQAApACECAAAAAQAgCAAADgAgBAgBACgAIR0BACgAIR4BACgAIR9AACkAIQIAAAAEACAIAAAQACACAAAABAAgCAAAEAAgAwAAAAEAIA8A",
      "AAkAIBAAAA4AIAEAAAABACABAAAABAAgAxUAACUAIBYAACcAIBcAACYAIAcIAQAbACEaAAAaADAbAAAXABAcAAAaADAdAQAbACEeAQAbACEfQA",
      "AcACEDAAAABAAgAwAAFgAwFAAAFwAgAwAAAAQAIAMAAAUAMAQAAAEAIAcIAQAbACEaAAAaADAbAAAXABAcAAAaADAdAQAbACEeAQAbACEfQAAc",
      "ACEOFQAAHgAgFgAAIQAgFwAAIQAgIAEAAAABIQEAAAAEIgEAAAAEIwEAAAABJAEAAAABJQEAAAABJgEAAAABJwEAIAAhKAEAAAABKQEAAAABKg",
      "EAAAABCxUAAB4AIBYAAB8AIBcAAB8AICBAAAAAASFAAAAABCJAAAAABCNAAAAAASRAAAAAASVAAAAAASZAAAAAASdAAB0AIQsVAAAeACAWAAAf",
      "ACAXAAAfACAgQAAAAAEhQAAAAAQiQAAAAAQjQAAAAAEkQAAAAAElQAAAAAEmQAAAAAEnQAAdACEIIAIAAAABIQIAAAAEIgIAAAAEIwIAAAABJA",
      "IAAAABJQIAAAABJgIAAAABJwIAHgAhCCBAAAAAASFAAAAABCJAAAAABCNAAAAAASRAAAAAASVAAAAAASZAAAAAASdAAB8AIQ4VAAAeACAWAAAh",
      "ACAXAAAhACAgAQAAAAEhAQAAAAQiAQAAAAQjAQAAAAEkAQAAAAElAQAAAAEmAQAAAAEnAQAgACEoAQAAAAEpAQAAAAEqAQAAAAELIAEAAAABIQ",
      "EAAAAEIgEAAAAEIwEAAAABJAEAAAABJQEAAAABJgEAAAABJwEAIQAhKAEAAAABKQEAAAABKgEAAAABBwgBACMAIRoAACIAMBsAAAQAEBwAACIA",
      "MB0BACMAIR4BACMAIR9AACQAIQsgAQAAAAEhAQAAAAQiAQAAAAQjAQAAAAEkAQAAAAElAQAAAAEmAQAAAAEnAQAhACEoAQAAAAEpAQAAAAEqAQ",
      "AAAAEIIEAAAAABIUAAAAAEIkAAAAAEI0AAAAABJEAAAAABJUAAAAABJkAAAAABJ0AAHwAhAAAAASsBAAAAAQErQAAAAAEAAAAAAxUABhYABxcA",
      "CAAAAAMVAAYWAAcXAAgBAgECAwEFBgEGBwEHCAEJCgEKDAILDQMMDwENEQIOEgQREwESFAETFQIYGAUZGQk",
    ].join(""),
  },
  compilerWasm: {
    getRuntime: async () => load(`${compiler}.js`),
    getQueryCompilerWasmModule: async () =>
      new WebAssembly.Module(Buffer.from(load(`${compiler}.wasm-base64.js`).wasm, "base64")),
    importName: "./query_compiler_small_bg.js",
  },
});

export const connect = (url) => new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 2 }) });
