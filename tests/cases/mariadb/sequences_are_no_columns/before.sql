create sequence label_no;
create table labels (id int, print_no bigint);
