"use client";

import * as react from "next-auth-5/react";
import { inBrowser } from "./in-browser";

export const InBrowser = inBrowser(react, "/api/auth-js-5");
