import { handlers } from "../../../../site/auth-js-5";

export const { GET, POST } = handlers;
