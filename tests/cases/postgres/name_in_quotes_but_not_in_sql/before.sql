create table shelves ("unitPrice" numeric, "shelfNo" integer);
