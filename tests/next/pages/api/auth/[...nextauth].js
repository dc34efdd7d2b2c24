import NextAuth from "next-auth";
import { options } from "../../../site/next-auth-4";

export default NextAuth(options);
