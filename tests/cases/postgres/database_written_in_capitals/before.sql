create database pantry template {database};
create database "Cold Store" template {database};
