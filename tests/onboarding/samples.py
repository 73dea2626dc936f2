"""Descriptions of departments that the hub has never seen."""
# ruff: noqa: E501 - XML as others write it

from __future__ import annotations

from pathlib import Path

PERSON = "620899198503140011"

FUND_WSDL = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:tns="urn:fund" xmlns:t="urn:fund:types" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
    targetNamespace="urn:fund" name="Fund">
  <types><xsd:schema targetNamespace="urn:fund">
    <xsd:import namespace="urn:fund:types" schemaLocation="types.xsd"/></xsd:schema></types>
  <message name="q"><part name="body" element="t:queryAccountsRequest"/></message>
  <message name="a"><part name="body" element="t:queryAccountsResponse"/></message>
  <message name="s"><part name="body" element="t:submitNoticeRequest"/></message>
  <portType name="FundPort">
    <operation name="submitNotice"><input message="tns:s"/><output message="tns:a"/></operation>
    <operation name="queryAccounts"><documentation>查询个人账户</documentation>
      <input message="tns:q"/><output message="tns:a"/></operation>
  </portType>
  <binding name="FundBinding" type="tns:FundPort">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="submitNotice"><soap:operation soapAction="urn:s"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
    <operation name="queryAccounts"><soap:operation soapAction="urn:q"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
  </binding>
  <service name="FundService"><port name="FundPort" binding="tns:FundBinding">
    <soap:address location="https://fund.example.invalid/services/Fund"/></port></service>
</definitions>
"""

FUND_TYPES = """<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:fund:types"
    targetNamespace="urn:fund:types" elementFormDefault="qualified">
  <xs:simpleType name="Code"><xs:restriction base="xs:string">
    <xs:enumeration value="01"/><xs:enumeration value="02"/></xs:restriction></xs:simpleType>
  <xs:complexType name="Base"><xs:sequence>
    <xs:element name="grzh"><xs:annotation><xs:documentation>个人账号</xs:documentation></xs:annotation>
      <xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="12"/></xs:restriction></xs:simpleType>
    </xs:element></xs:sequence></xs:complexType>
  <xs:complexType name="Account"><xs:complexContent><xs:extension base="Base"><xs:sequence>
    <xs:element name="xm" type="xs:string"><xs:annotation><xs:documentation>姓名</xs:documentation></xs:annotation></xs:element>
    <xs:element name="zjhm" type="xs:string"><xs:annotation><xs:documentation>证件号码</xs:documentation></xs:annotation></xs:element>
    <xs:element name="dwxydm" type="xs:string" minOccurs="0"><xs:annotation>
      <xs:documentation>单位统一社会信用代码</xs:documentation></xs:annotation></xs:element>
    <xs:element name="ye" type="xs:decimal" minOccurs="0"><xs:annotation><xs:documentation>账户余额</xs:documentation></xs:annotation></xs:element>
    <xs:element name="zhzt" type="Code" minOccurs="0"/>
    <xs:element name="gxsj" type="xs:dateTime"><xs:annotation><xs:documentation>更新时间</xs:documentation></xs:annotation></xs:element>
  </xs:sequence></xs:extension></xs:complexContent></xs:complexType>
  <xs:element name="queryAccountsRequest"><xs:complexType><xs:sequence>
    <xs:element name="head"><xs:complexType><xs:sequence>
      <xs:element name="kssj" type="xs:string"/><xs:element name="jssj" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="pageNo" type="xs:int"/><xs:element name="pageSize" type="xs:int"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="submitNoticeRequest"><xs:complexType><xs:sequence>
    <xs:element name="text" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="queryAccountsResponse"><xs:complexType><xs:sequence>
    <xs:element name="retCode" type="xs:string"/><xs:element name="retMsg" type="xs:string" minOccurs="0"/>
    <xs:element name="totalCount" type="xs:int" minOccurs="0"/>
    <xs:element name="data" minOccurs="0"><xs:complexType><xs:sequence>
      <xs:element name="row" type="Account" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""

OPENAPI = {
    "openapi": "3.0.3",
    "info": {"title": "门诊机构", "version": "1"},
    "servers": [{"url": "https://clinic.example.invalid/v2/"}],
    "components": {
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        "schemas": {
            "Clinic": {
                "type": "object",
                "required": ["recordId", "updateTime"],
                "properties": {
                    "recordId": {"type": "string", "description": "记录编号"},
                    "orgCode": {"type": "string", "description": "统一社会信用代码"},
                    "cardNumber": {"type": "string", "example": PERSON},
                    "beds": {"type": "integer", "description": "床位数"},
                    "updateTime": {"type": "string", "example": "2026-11-03 09:30:00"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            },
            "Page": {
                "allOf": [
                    {"properties": {"code": {"type": "string", "example": "0000"}}},
                    {
                        "properties": {
                            "msg": {"type": "string"},
                            "data": {
                                "type": "object",
                                "properties": {
                                    "total": {"type": "integer"},
                                    "list": {
                                        "type": "array",
                                        "items": {"$ref": "#/components/schemas/Clinic"},
                                    },
                                },
                            },
                        }
                    },
                ]
            },
        },
    },
    "paths": {
        "/clinics": {
            "get": {
                "operationId": "listClinics",
                "summary": "机构清单",
                "parameters": [
                    {"name": "startTime", "in": "query", "schema": {"type": "string"}},
                    {"name": "endTime", "in": "query", "schema": {"type": "string"}},
                    {"name": "pageNum", "in": "query", "schema": {"type": "integer"}},
                    {"name": "pageSize", "in": "query", "schema": {"type": "integer"}},
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Page"}}
                        }
                    }
                },
            },
            "post": {"operationId": "addClinic", "responses": {}},
        }
    },
}

SWAGGER = {
    "swagger": "2.0",
    "info": {"title": "Old gate", "version": "1"},
    "host": "old.example.invalid",
    "basePath": "/api",
    "securityDefinitions": {"login": {"type": "basic"}},
    "definitions": {
        "Item": {"type": "object", "properties": {"itemNo": {"type": "string"}, "title": {}}}
    },
    "paths": {
        "/items": {
            "get": {
                "parameters": [{"name": "offset", "in": "query", "type": "integer"}],
                "responses": {
                    "200": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "items": {"type": "array", "items": {"$ref": "#/definitions/Item"}}
                            },
                        }
                    }
                },
            }
        }
    },
}

TAX_PAYLOAD = """<TAXBIZML><HEAD><FHM>0</FHM><FHXX/><ZJLS>1</ZJLS></HEAD><BODY><WSXXLIST>
<WSXX><DZSPHM>362089900000000001</DZSPHM><NSRMC>李娜</NSRMC><GXSJ>20261103093000</GXSJ></WSXX>
</WSXXLIST></BODY></TAXBIZML>"""


def write_wsdl(folder: Path) -> Path:
    """Write the fund's WSDL and the schema that it imports; gives the folder."""
    there = folder / "given"
    there.mkdir(exist_ok=True)
    (there / "Fund.wsdl").write_text(FUND_WSDL, encoding="utf-8")
    (there / "types.xsd").write_text(FUND_TYPES, encoding="utf-8")
    return there
